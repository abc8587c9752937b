"""``python -m batch`` is the command ``promptjobs``."""

if __name__ == "__main__":
    try:
        from batch.cli import main
    except KeyboardInterrupt:  # an interrupt while the command starts needs no traceback
        raise SystemExit(130) from None
    main()
