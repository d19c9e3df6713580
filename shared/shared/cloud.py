"""The door to OpenStack: openstacksdk in a few threads, its errors sorted by what is to be done about them.

Writes are never retried here: a write whose answer was lost is Unknown, and its caller looks before it tries again.
Reads are, a little: a look takes many of them, and one that failed would throw away what the others found.
"""

import asyncio
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import getproxies

import openstack.config
import openstack.exceptions as sdk
from keystoneauth1 import exceptions as auth
from keystoneauth1 import session as keystone_session
from openstack.connection import Connection
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from shared import metrics
from shared.clock import Clock
from shared.errors import (
    CloudError,
    Configuration,
    Conflict,
    CredentialsRefused,
    Forbidden,
    Invalid,
    NotFound,
    Transient,
    Unknown,
)
from shared.telemetry import cleaned

T = TypeVar("T")

REQUEST_ID_HEADER = "X-OpenStack-Request-ID"
LARGEST_RETRY_AFTER_SECONDS = 300.0
MAX_PROJECT_CONNECTIONS = 256
MAX_KEPT_CONNECTIONS = 32
"""To one address: as many as there are threads, or each call beyond makes one of its own."""
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
URGENT_THREADS = 20
"""Kept free for calls that can't wait until the listings in front of them are through. A service takes up to 0.2 s for
one: so many get 100 a second under way."""
LOGIN_AGAIN_SECONDS = 60.0
"""After a refused login: sooner it is not tried again, as Keystone may lock a user who fails too often."""
_MIGHT_HAVE_HAPPENED = (502, 504)
"""A proxy gave up waiting: the service behind it may still do it."""
_PAUSES_BEFORE_READING_AGAIN_SECONDS = (0.1, 0.4)
_URL = re.compile(r"https?://\S+")
_STUMBLED = (500, 502, 503, 504)

_request = threading.local()


class _Session(keystone_session.Session):
    """Carries the request id of the call being made, so that OpenStack's logs and notifications name it.

    Reads that a service stumbled over are asked again after short pauses, unless it says when to come back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # `requests` looks for proxies, authorities and a .netrc at each call; where there are no proxies, once is enough.
        self.session.trust_env = bool(getproxies())
        if self.verify is True:
            self.verify = next((found for name in _AUTHORITIES if (found := os.environ.get(name))), True)
        for adapter in self.session.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                adapter.init_poolmanager(DEFAULT_POOLSIZE, MAX_KEPT_CONNECTIONS)

    def request(self, url: str, method: str, *args: Any, **kwargs: Any) -> Any:
        request_id = getattr(_request, "request_id", None)
        if request_id:
            kwargs["headers"] = {**(kwargs.get("headers") or {}), REQUEST_ID_HEADER: request_id}
        for pause_seconds in _PAUSES_BEFORE_READING_AGAIN_SECONDS if method == "GET" else ():
            try:
                answer = super().request(url, method, *args, **kwargs)
                if not _is_worth_reading_again(answer):
                    return answer
            except auth.HttpError as error:
                if not _is_worth_reading_again(error.response):
                    raise
            except auth.ConnectTimeout:
                raise  # it took its time already
            except auth.ConnectFailure:
                pass
            metrics.CLOUD_READS_AGAIN.inc()
            time.sleep(pause_seconds)
        return super().request(url, method, *args, **kwargs)


def _is_worth_reading_again(answer: Any) -> bool:
    """Whether a service stumbled over a question, and does not say when to come back."""
    return answer is not None and answer.status_code in _STUMBLED and "Retry-After" not in answer.headers


class Cloud:
    """One cloud, as one service user."""

    def __init__(
        self,
        cloud_name: str,
        clouds_path: Path | None,
        clock: Clock,
        *,
        threads: int = 12,
        timeout_seconds: float = 60.0,
        on_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_refused` is told, from a thread, each time that Keystone refuses the login."""
        self._name = cloud_name
        self._clock = clock
        self._threads = threads
        self._timeout_seconds = timeout_seconds
        self._files = [str(clouds_path)] if clouds_path else None
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="cloud")
        self._slots = asyncio.Semaphore(threads)
        self._urgent_executor = ThreadPoolExecutor(URGENT_THREADS, thread_name_prefix="cloud-urgent")
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._refused = ""
        self._on_refused = on_refused
        self._login_again_at = 0.0
        self._projects: OrderedDict[str, Connection] = OrderedDict()

    async def call(
        self,
        fn: Callable[[Connection], T],
        *,
        request_id: str | None = None,
        project_id: str | None = None,
        urgent: bool = False,
    ) -> T:
        """What `fn` returns, run in a thread with a connection.

        A call with a `request_id` is a write: it carries the id, and a lost answer raises Unknown. `project_id`
        rescopes the token to that project, in which the service's user must have a role. An `urgent` call has threads
        of its own, that no listing holds. Raises CloudError.
        """
        began = self._clock.monotonic_seconds()
        outcome = "done"
        loop = asyncio.get_running_loop()
        try:
            if urgent:
                return await loop.run_in_executor(self._urgent_executor, self._run, fn, request_id, project_id)
            async with self._slots:
                return await loop.run_in_executor(self._executor, self._run, fn, request_id, project_id)
        except CloudError as error:
            outcome = type(error).__name__.lower()
            raise
        finally:
            metrics.CLOUD_CALLS.labels(outcome).inc()
            metrics.CLOUD_SECONDS.observe(self._clock.monotonic_seconds() - began)

    @property
    def is_refused(self) -> bool:
        """Whether the last login was refused."""
        return bool(self._refused)

    def _run(self, fn: Callable[[Connection], T], request_id: str | None, project_id: str | None) -> T:
        _request.request_id = request_id
        try:
            connection = self._connect()
            if project_id is not None:
                connection = self._rescoped(connection, project_id)
            return fn(connection)
        except CloudError:
            raise
        except (sdk.SDKException, auth.ClientException) as error:
            # In a project it may be the role there that is missing: that is no matter of the login.
            if project_id is None and _is_refused_login(error):
                raise self._login_refused(error) from error
            raise classified(error, is_write=request_id is not None) from error
        finally:
            _request.request_id = None

    def _connect(self) -> Connection:
        with self._lock:
            if self._connection is None:
                wait_seconds = self._login_again_at - self._clock.monotonic_seconds()
                if self._refused and wait_seconds > 0:
                    raise CredentialsRefused(self._refused, retry_after_seconds=wait_seconds)
                try:
                    config = openstack.config.OpenStackConfig(
                        config_files=self._files, session_constructor=_Session, load_envvars=False, pw_func=None
                    )
                    region = config.get_one(cloud=self._name, api_timeout=self._timeout_seconds)
                except sdk.ConfigException as error:
                    raise Configuration(f"cloud '{self._name}': {error}; check TRESOR_CLOUDS_PATH") from None
                connection = Connection(config=region)
                try:
                    connection.authorize()
                except sdk.SDKException as error:
                    if _is_refused_login(error):
                        raise self._login_refused(error) from error
                    raise
                self._connection, self._refused = connection, ""
            return self._connection

    def _login_refused(self, error: Exception) -> CredentialsRefused:
        """What to say of it; the next login reads clouds.yaml anew, so that mending it is enough."""
        self._refused = (
            f"Keystone refuses the credentials of cloud '{self._name}' ({cleaned(str(error))[:300]}): put good ones into "
            f"{self._files[0] if self._files else 'clouds.yaml'}, or have the user unlocked; no restart is needed"
        )
        self._login_again_at = self._clock.monotonic_seconds() + LOGIN_AGAIN_SECONDS
        self._connection = None
        self._projects.clear()
        self._on_refused(self._refused)
        return CredentialsRefused(self._refused, retry_after_seconds=LOGIN_AGAIN_SECONDS)

    def _rescoped(self, connection: Connection, project_id: str) -> Connection:
        with self._lock:
            found = self._projects.pop(project_id, None)
            if found is None:
                found = connection.connect_as_project({"id": project_id})
                while len(self._projects) >= MAX_PROJECT_CONNECTIONS:
                    self._projects.popitem(last=False)
            self._projects[project_id] = found
            return found

    def forget_project(self, project_id: str) -> None:
        """Drop the token for a project that is gone, or whose roles have changed."""
        with self._lock:
            self._projects.pop(project_id, None)

    def close(self) -> None:
        """End the threads; what they are doing ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._urgent_executor.shutdown(wait=False, cancel_futures=True)


def classified(error: Exception, *, is_write: bool) -> CloudError:
    """OpenStack's error as ours. The text is OpenStack's own, bounded and cleaned."""
    said = cleaned(str(error))[:1000]
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    request_id = str(getattr(error, "request_id", "") or "")
    named: dict[str, Any] = {"status": status, "request_id": request_id}
    if status == 401 and not _is_refused_login(error):
        return Transient(said, **named)  # Keystone gave the token, and gave another one since: the service is at fault
    if status in (401, 403):
        return Conflict(said, **named, is_quota=True) if _is_of_quota(said) else Forbidden(said, **named)
    if status == 404 or isinstance(error, sdk.NotFoundException):
        return NotFound(said, **named)
    if status in (409, 412):
        return Conflict(said, **named, is_quota=_is_of_quota(said))
    if status == 413:  # Nova and Cinder of old say over quota so
        return Conflict(said, **named, is_quota=True)
    if status in (429, 503):
        return Transient(said, **named, retry_after_seconds=_retry_after_seconds(error))
    if status in _MIGHT_HAVE_HAPPENED and is_write:
        return Unknown(said, **named)
    if status is not None and 400 <= status < 500:
        return Invalid(said, **named)
    if status is not None or _never_sent(error) or not is_write:
        return Transient(said, **named)
    return Unknown(said, **named)


def _is_of_quota(said: str) -> bool:
    """Whether a limit is reached. The address, which openstacksdk's text has in it, may speak of quotas itself."""
    return "quota" in _URL.sub("", said).lower()


def _is_refused_login(error: Exception) -> bool:
    """Whether Keystone gave no token; a service that does not take a token it gave says so otherwise."""
    return any(isinstance(one, auth.Unauthorized) for one in _causes(error))


def _retry_after_seconds(error: Exception) -> float | None:
    response = getattr(error, "response", None)
    text = response.headers.get("Retry-After", "") if response is not None else ""
    return min(float(text), LARGEST_RETRY_AFTER_SECONDS) if text.isdigit() else None


def _never_sent(error: BaseException) -> bool:
    """Whether the connection was never made, so that nothing can have come of the request."""
    return any(isinstance(one, (NewConnectionError, ConnectTimeoutError)) for one in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
