"""Which checks of a contract fail, for tests that feed it what is broken."""


def failures(contract: type) -> dict[str, str]:
    """Run every check on a fresh instance: name of each check that fails -> its message."""
    found = {}
    for name in (name for name in dir(contract) if name.startswith("test_")):
        try:
            getattr(contract(), name)()
        except Exception as error:
            found[name.removeprefix("test_")] = str(error)
    return found
