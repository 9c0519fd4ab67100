"""What a person does, one file per verb, told through ports."""
