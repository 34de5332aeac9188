"""Writers: clients that post ratings, and send a post again with the same key until it is acknowledged."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, IncompleteRead
from itertools import count

from tests.campaign.api import Api, connect
from tests.campaign.journal import Fact, Journal
from tests.campaign.plan import Account, Plan

CREATED = 201
_TRY_AGAIN = {408, 429, 502, 503}
_LONGEST_WAIT = 5.0


class Writer(threading.Thread):
    """A thread that posts until it is stopped; then it finishes its last post.

    Args:
        plan: The campaign.
        number: The number of the writer.
        account: The user who posts.
        api: The server.
        port: The port at which it is reached.
        journal: Where posts are noted before they are sent, and acknowledgements when they arrive.

    Attributes:
        problem: A response that no correct request should get, which ended the writer.
    """

    def __init__(self, plan: Plan, number: int, account: Account, *, api: Api, port: int, journal: Journal) -> None:
        super().__init__(name=f"writer {number}", daemon=True)
        self.problem: str | None = None
        self._plan, self._number, self._journal = plan, number, journal
        self._api, self._port = api, port
        self._authorization = account.authorization(api.tokens.get(account.name))
        self._connection: HTTPConnection | None = None
        self._stopping, self._giving_up = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Post nothing new."""
        self._stopping.set()

    def give_up(self) -> None:
        """Do not even send the last post again."""
        self._giving_up.set()

    def run(self) -> None:
        """Post, beginning with what an interrupted campaign has not finished."""
        for number in count(self._first()):
            rows = self._plan.post(self._number, number)
            if not self._finish(number, rows) or self._stopping.wait(self._pause(number)):
                break
        self._disconnect()

    def _first(self) -> int:
        done = [fact["number"] for fact in self._journal.facts("acknowledged") if fact["writer"] == self._number]
        return max(done, default=-1) + 1

    def _pause(self, number: int) -> float:
        return self._plan.chance("pause", self._number, number).uniform(0.01, 0.2)

    def _finish(self, number: int, rows: list[Fact]) -> bool:
        """Send a post until it is acknowledged, and return whether it was."""
        mine = {"writer": self._number, "number": number, "rows": len(rows)}
        self._journal.note("posted", **mine)
        body = json.dumps(rows).encode()
        for tries in count(1):
            status, headers, answer = self._send(number, body)
            if status == CREATED:
                if json.loads(answer) != {"accepted": len(rows)}:
                    self.problem = f"post {number} of {len(rows)} ratings got {answer!r}"
                replayed = headers.get("idempotency-replayed") == "true"
                self._journal.note("acknowledged", **mine, snapshot=headers["snapshot"], replayed=replayed, tries=tries)
                return True
            if status not in _TRY_AGAIN and status:
                self.problem = f"post {number} of writer {self._number} got {status}: {answer[:500]!r}"
                return False
            wait = float(headers.get("retry-after", min(0.1 * tries, 1.0)))
            if self._giving_up.wait(min(wait, _LONGEST_WAIT)):
                return False
        raise AssertionError("count never ends")

    def _send(self, number: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a post once, and return status, headers and body; a status of 0 if there was no response."""
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/json",
            "Idempotency-Key": f"writer-{self._number}-post-{number}",
        }
        self._journal.count("requests of writers")
        try:
            self._connection = self._connection or connect(self._port, self._api.trust, timeout=10)
            self._connection.request("POST", "/ratings", body, headers)
            response = self._connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            answer = response.read()
            if "content-length" not in found:
                # Python takes the end of a connection for the end of the headers.
                raise IncompleteRead(answer)
        except (OSError, HTTPException) as error:
            self._journal.count(f"posts without response: {type(error).__name__}")
            self._disconnect()
            return 0, {}, b""
        self._journal.count(f"posts: status {response.status}")
        return response.status, found, answer

    def _disconnect(self) -> None:
        with suppress(OSError):
            if self._connection:
                self._connection.close()
        self._connection = None
