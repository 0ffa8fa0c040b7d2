"""What all players share: settings come as JSON in the first argument, commands as JSON lines; answers go out likewise.

A player keeps one engine with its adapters in memory and obeys `{"run": [{"ids", "text", "adapter", "tokens"}]}`: all
requests at once, each with its adapter's name or null. It answers `seconds` until the last has ended, `tokens`
generated, and `first`, the seconds to each request's first token where the library tells.
"""

import json
import os
import sys
import traceback


def play(start):
    """`start(settings)` returns (what to tell of itself, function that runs a list of requests)."""
    # Libraries print what they like; it goes to the log, not between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        told, run = start(json.loads(sys.argv[1]))
    except BaseException as error:
        traceback.print_exc()
        return say({"error": f"{type(error).__name__}: {error}"})
    say({"ready": True, **told})
    for line in sys.stdin:
        try:
            say(run(json.loads(line)["run"]))
        except BaseException as error:
            traceback.print_exc()
            say({"error": f"{type(error).__name__}: {error}"})
