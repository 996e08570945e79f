"""Every sample of Infobip's document, to the letter: one story from a new process to its statistics."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.infobip import Variants
from tests.sandbox.asking import Reply, call, infobip

PROCESS_REQUEST = """
{
    "name": "Sign-up tracking",
    "description": "My awesome Sign-up tracking"
}
"""
PROCESS_RESPONSE = """
{
 "key": "47A3614FB229EBEA88ED45E72BB07D3E",
 "name": "Sign-up tracking",
 "timeAdded": "2015-03-19T09:21:57.934+0100",
 "processType": "USER_DEFINED",
 "description": "My awesome Sign-up tracking"
}
"""
START_REQUEST = """
{
    "name": "START",
    "description": "Signup start",
    "processTagType": "START_TAG"
}
"""
START_RESPONSE = """
{
     "key": "742CEC5DEF6025218E5A0407B029D02D",
     "name": "START",
     "description": "Signup start",
     "processTagType": "START_TAG"
}
"""
END_REQUEST = """
{
    "name": "END",
    "description": "Successful signup",
    "processTagType": "END_TAG"
}
"""
END_RESPONSE = """
{
     "key": "AC175A3A7D4AE68FE358C053630ED926",
     "name": "END",
     "description": "Successful signup",
     "processTagType": "END_TAG"
}
"""
LOG_REQUEST = """
{
    "processLogKey": "7c32d5fc-6870-4c33-8222-44d477b0671c",
    "processTagKey": "AC175A3A7D4AE68FE358C053630ED926",
    "countryCode": "US",
    "osType": "ANDROID"
}
"""
LOG_RESPONSE = """
{
     "processKey": "95578456D6F794703FB6C9418AF6AA97",
     "accountKey": "3C3EFB2D307CA4FEFB2B5282E51E36EE",
     "key": "7c32d5fc-6870-4c33-8222-44d477b0671c",
     "tag": null,
     "processTagKey": "AC175A3A7D4AE68FE358C053630ED926",
     "timeAdded": "2014-10-10T15:54:59.443+0200",
     "countryCode": "US",
     "osType": "ANDROID",
     "addCount": 1
}
"""
MESSAGE_REQUEST = """
{
  "senderAddress": "INFOSMS",
  "trackInfo": {
    "initTagInfo": {
      "processKey": "95578456D6F794703FB6C9418AF6AA97",
      "tag": "START"
      }
  },
  "address": [
    "385981234567"
  ],
  "message": "We invite you to use our fancy app using this promo code 12345."
}
"""
MESSAGE_RESPONSE = """
{
   "resourceReference": {
       "resourceURL": "https://oneapi.infobip.com/1/smsmessaging/outbound/{senderAddress}/requests/14129485255681170/deliveryInfos"
   },
   "clientCorrelator": "14129485255681170",
   "sendMessageResults": [
       {
           "messageStatus": "MessageAccepted",
           "messageId": "a715c699-188b-416b-aa8e-78f0e5383412",
           "senderAddress": "INFOSMS",
           "destinationAddress": "385981234567",
           "price": 0,
           "errorMessageId": null,
           "conversionTrackFlag": null,
           "conversionTrackKey": null,
           "processLogKey": "7c32d5fc-6870-4c33-8222-44d477b0671c"
       }
   ],
   "urlTrackingProcessKey": null
}
"""
AVERAGE_RESPONSE = """
{
 "startTag": "START",
 "endTag": "END",
 "startTagTimeFrame": {
   "from": "2014-09-10T15:55:09.647+0200",
   "to": "2014-10-10T15:55:09.647+0200"
 },
 "endTagTimeFrame": {
   "from": "2014-09-10T15:55:09.647+0200",
   "to": "2014-10-10T15:55:09.647+0200"
 },
 "conversionRateStats": {
   "startCount": 1,
   "endCount": 1,
   "conversionRate": 1
 },
 "averageConversionTime": {
   "time": 774,
   "timeUnit": "SECONDS"
 }
}
"""
BY_DATE_RESPONSE = """
{
 "conversionRates": [
   {
     "startTimeFrame": {
       "from": "2014-10-10T02:00:00.000+0200",
       "to": "2014-10-11T02:00:00.000+0200"
     },
     "endTimeFrame": null,
     "conversionRateStats": {
       "startCount": 1,
       "endCount": 1,
       "conversionRate": 1
     }
   }
 ],
 "granulation": "DAY"
}
"""

AS_IN_THE_SAMPLES = Variants(bare_paths=True, literal_sender=True, links_root="https://oneapi.infobip.com")
KEY = "95578456D6F794703FB6C9418AF6AA97"
SENT = datetime(2014, 10, 10, 13, 42, 5, 568117, UTC)
"""The sample's clientCorrelator is this instant, in ten millionths of a second."""
LOGGED = datetime(2014, 10, 10, 13, 54, 59, 443000, UTC)
ASKED = datetime(2014, 10, 10, 13, 55, 9, 647000, UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A clock that can be set to the samples' days, and the samples' account."""
    with Sandbox(World(days=1)) as running:
        running.infobip.variants = AS_IN_THE_SAMPLES
        running.infobip.desk.account_key = "3C3EFB2D307CA4FEFB2B5282E51E36EE"
        yield running


def squeezed(text: str) -> str:
    """JSON text without the white space between its tokens; else untouched."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda match: match[1] or "", text)


def check(reply: Reply, sample: str) -> None:
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.text == squeezed(sample)


def create(sandbox: Sandbox, *keys: str, at: datetime) -> None:
    """A process with the samples' two tags, under these keys."""
    sandbox.world.now = at
    sandbox.infobip.desk.next_keys = list(keys)
    infobip(sandbox, "/1/conversion-rate/process", PROCESS_REQUEST)
    for request in (START_REQUEST, END_REQUEST):
        infobip(sandbox, f"/1/conversion-rate/process/{keys[0]}/tag", request)


def test_setup_of_a_process_and_its_tags(sandbox: Sandbox) -> None:
    """The tag samples' path lacks the /1 of their endpoint line; both are answered here."""
    sandbox.world.now = datetime(2015, 3, 19, 8, 21, 57, 934000, UTC)
    samples = (PROCESS_RESPONSE, START_RESPONSE, END_RESPONSE)
    keys = [re.findall('"key": "(.*)"', sample)[0] for sample in samples]
    sandbox.infobip.desk.next_keys = list(keys)
    check(infobip(sandbox, "/1/conversion-rate/process", PROCESS_REQUEST), PROCESS_RESPONSE)
    bare = f"/conversion-rate/process/{keys[0]}/tag"
    check(infobip(sandbox, bare, START_REQUEST), START_RESPONSE)
    check(infobip(sandbox, "/1" + bare, END_REQUEST), END_RESPONSE)
    sandbox.infobip.variants = Variants()
    assert infobip(sandbox, bare, END_REQUEST).status == 404


def test_a_tracked_message_its_log_and_the_statistics(sandbox: Sandbox) -> None:
    """The samples are one story: sent at 15:42:05.568, logged at 15:54:59.443, which is 774 seconds later."""
    create(sandbox, KEY, "742CEC5DEF6025218E5A0407B029D02D", "AC175A3A7D4AE68FE358C053630ED926", at=SENT)
    sandbox.infobip.desk.next_keys = [
        "a715c699-188b-416b-aa8e-78f0e5383412",
        "7c32d5fc-6870-4c33-8222-44d477b0671c",
    ]
    reply = infobip(sandbox, "/1/smsmessaging/outbound/senderAddress/requests", MESSAGE_REQUEST)
    check(reply, MESSAGE_RESPONSE)
    sandbox.world.now = LOGGED
    check(infobip(sandbox, f"/1/conversion-rate/process/{KEY}/log", LOG_REQUEST), LOG_RESPONSE)
    sandbox.world.now = ASKED
    statistics = f"/1/conversion-rate/process/{KEY}/statistics"
    check(infobip(sandbox, f"{statistics}/average-conversion-rate"), AVERAGE_RESPONSE)
    check(infobip(sandbox, f"{statistics}/conversion-rate"), BY_DATE_RESPONSE)


def test_the_samples_credentials(sandbox: Sandbox) -> None:
    """`Alladin` in the text is a slip: the encoded string says Aladdin. The table's example is username:password."""
    path = "/1/conversion-rate/process"

    def status(encoded: str) -> int:
        headers = {"Authorization": f"Basic {encoded}", "Content-Type": "application/json"}
        return call(sandbox, "POST", path, headers, PROCESS_REQUEST).status

    assert base64.b64decode("QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == b"Aladdin:open sesame"
    assert status("QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == 200
    assert status("dXNlcm5hbWU6cGFzc3dvcmQ=") == 401
    sandbox.infobip.username, sandbox.infobip.password = "username", "password"
    assert status("dXNlcm5hbWU6cGFzc3dvcmQ=") == 200


def test_the_tables_words_and_names(sandbox: Sandbox) -> None:
    """Where tables and samples differ, the variant follows the table."""
    sandbox.infobip.variants = Variants(
        enums="words", units_in_capitals=False, url_key="urlProcessTrackingKey", destination="list"
    )
    create(sandbox, KEY, "S", "E", at=SENT)
    kinds = [
        infobip(sandbox, f"/1/conversion-rate/process/{KEY}/tag", {"processTagType": kind}).json()
        for kind in ("End tag", "START_TAG", None)
    ]
    assert [one["processTagType"] for one in kinds] == ["End tag", "Start tag", "Undefined tag type"]
    log = infobip(
        sandbox, f"/1/conversion-rate/process/{KEY}/log", {"osType": "Windows failover cluster"}
    ).json()
    assert log["osType"] == "Windows failover cluster"
    message = {"senderAddress": "INFOSMS", "address": "385981234567", "trackInfo": {"urlTrackInfo": {"x": 1}}}
    sent = infobip(sandbox, "/1/smsmessaging/outbound/INFOSMS/requests", message).json()
    assert sent["urlProcessTrackingKey"] is not None
    assert sent["sendMessageResults"][0]["destinationAddress"] == ["385981234567"]
    assert sent["resourceReference"]["resourceURL"].startswith(
        f"{sandbox.url}/1/smsmessaging/outbound/INFOSMS/"
    )
    infobip(
        sandbox,
        "/1/smsmessaging/outbound/INFOSMS/requests",
        {**message, "trackInfo": {"initTagInfo": {"processKey": KEY}}},
    )
    sandbox.world.advance(seconds=1)
    statistics = f"/1/conversion-rate/process/{KEY}/statistics"
    assert infobip(sandbox, f"{statistics}/conversion-rate").json()["granulation"] == "Granulation by days"
    sandbox.infobip.variants = Variants(units_in_capitals=False, no_time="zero")
    average = infobip(sandbox, f"{statistics}/average-conversion-rate").json()
    assert average["averageConversionTime"] == {"time": 0, "timeUnit": "seconds"}
    assert sandbox.world.now - SENT == timedelta(seconds=1)
