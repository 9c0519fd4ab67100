"""``python -m pai_signer`` and the installed ``pai-signer`` start here."""

from pai_signer.faces.cli.main import main

if __name__ == "__main__":
    main()
