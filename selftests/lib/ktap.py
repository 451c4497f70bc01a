"""What lib/ktap.sh is for shell cases: runs the functions test_* of a case in order and says so in KTAP.

    from ktap import run, sh, skip
    def setup(): ...
    def test_something_is_so(): ...
    run(globals())

A fact that takes a parameter is tried with each of the values that run is given, by whose names it is told apart.
"""
import functools
import os
import signal
import subprocess
import sys
import time
import traceback

LIB = os.path.dirname(os.path.abspath(__file__))
CASE = os.path.basename(sys.argv[0]).rsplit(".", 1)[0]
TMP = f"/tmp/{CASE}"
SECONDS = 120


class Skip(Exception):
    """The fact cannot be tried here."""


def skip(why):
    raise Skip(why)


def sh(script, check=True):
    """Runs shell with the whole library loaded; returns stdout, or raises with what it said."""
    r = subprocess.run(["bash", "-c", f'. {LIB}/all.sh; TMP={TMP}; exec 3>&2; set -e\n{script}'], text=True,
                       capture_output=True, timeout=SECONDS)
    if check and r.returncode:
        raise AssertionError(f"exit {r.returncode} of: {script}\n{r.stdout}{r.stderr}")
    return r.stdout


def same(wanted, got, what="value"):
    assert wanted == got, f"{what}: wanted {wanted!r}, got {got!r}"


def wait_for(what, seconds=20):
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "did not become true"
        time.sleep(0.01)


def reports():
    n = 0
    for f in ("/sys/kernel/warn_count", "/sys/kernel/oops_count"):
        try:
            n += int(open(f).read())
        except OSError:
            pass
    return n


def note(text):
    for line in str(text).splitlines():
        print("  #", line)


def reached(text):
    """A note about how much was tried, which is printed though nothing failed."""
    for line in str(text).splitlines():
        print("  # reached:", line, flush=True)


def too_long(*_):
    raise TimeoutError(f"took more than {SECONDS} s")


def one(number, name, function):
    start, ok, tail = time.monotonic(), True, ""
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        function()
    except Skip as e:
        tail = f"SKIP {e}"
    except BaseException as e:  # a fact that fails in any way is a failed fact
        ok = False
        note("".join(traceback.format_exception(e)[-3:]) if not isinstance(e, AssertionError) else
             f"{e}\nat " + " < ".join(f"{os.path.basename(t.filename)}:{t.lineno}" for t in reversed(traceback.extract_tb(e.__traceback__)[1:])))
        note(sh("explain", check=False)[-4000:])
    signal.alarm(0)
    tail = tail or f"{(time.monotonic() - start) * 1000:.0f} ms"
    print(f"  {'ok' if ok else 'not ok'} {number} {name} # {tail}", flush=True)
    return ok


def facts_of(module, values):
    """[(name, function)]: all facts with the first of the values, then all that take one with the next."""
    all_facts = [(n[5:], f, f.__code__.co_argcount) for n, f in module.items() if n.startswith("test_") and callable(f)]
    if not values:
        return [(n, f) for n, f, _ in all_facts]
    return [(f"{n}_{v.name}", functools.partial(f, v)) if takes else (n, f)
            for i, v in enumerate(values) for n, f, takes in all_facts if takes or i == 0]


def run(module, values=()):
    os.makedirs(TMP, exist_ok=True)
    facts = facts_of(module, values)
    before = reports()

    def teardown():
        module.get("teardown", lambda: None)()
        sh("topology_down; modules_out")
        same(before, reports(), "kernel warnings and oopses")

    print(f"  KTAP version 1\n  # Subtest: {CASE}\n  1..{len(facts) + 2}", flush=True)
    failed = 0
    if one(1, "setup", module.get("setup", lambda: None)):
        for i, (name, f) in enumerate(facts):
            failed += not one(i + 2, name, f)
    else:
        failed = 1
        for i, (name, f) in enumerate(facts):
            print(f"  not ok {i + 2} {name} # setup failed")
    failed += not one(len(facts) + 2, "teardown", teardown)
    sys.exit(1 if failed else 0)
