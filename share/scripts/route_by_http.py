#!/usr/bin/python3
"""Routes calls by asking a web server: GET URL?called=…&caller=…&username=…, whose answer is the target in one line of text.

    [scripts]
    route_by_http.py=http://127.0.0.1:8080/route 1.5 sip/sip:operator@192.0.2.1

404, or 200 with an empty line: the next handler is asked. Any other status, no answer within the seconds (here 1.5, by default 2), or an
answer that is no target: the call goes to the last word, the fallback; without one the next handler is asked. Calls do not wait for one
another, but only so many questions are asked at once."""
import asyncio
import concurrent.futures
import http.client
import sys
import urllib.error
import urllib.parse
import urllib.request

import jackfield

AT_ONCE = 32
LONGEST = 4096

url, *rest = sys.argv[1].split()
seconds = float(rest[0]) if rest else 2.0
fallback = rest[1] if len(rest) > 1 else None
script = jackfield.Script()


@script.on_start
async def start():
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(AT_ONCE))


def ask(question: dict[str, str]) -> str:
    query = urllib.parse.urlencode(question)
    with urllib.request.urlopen(f"{url}{'&' if '?' in url else '?'}{query}", timeout=seconds) as answer:
        return answer.read(LONGEST).decode("utf-8").strip()


@script.handle("call.route", priority=50)
async def route(message: jackfield.Message):
    question = {name: message[name] for name in ("called", "caller", "username") if name in message}
    try:
        target = await asyncio.wait_for(asyncio.to_thread(ask, question), seconds)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        reason = f"status {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:  # unreachable or too slow, no HTTP, no text
        reason = f"{type(error).__name__} {error}".strip()
    else:
        if target.isprintable():
            return target or None
        reason = "the answer is no target"
    script.log(f"no route for {message['called']} from {url}: {reason}", 5)
    return fallback


script.run()
