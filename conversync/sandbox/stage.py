"""The sandbox as tests and the demo use it: one world, every vendor that tells of it, one server."""

from __future__ import annotations

import json
import ssl

from conversync.sandbox.besitos import Besitos, Variants
from conversync.sandbox.conductrics import Conductrics
from conversync.sandbox.control import Control
from conversync.sandbox.infobip import Infobip
from conversync.sandbox.keitaro import Keitaro
from conversync.sandbox.messages import Vendor
from conversync.sandbox.optibase import ENDPOINT, Optibase
from conversync.sandbox.server import Server
from conversync.sandbox.world import World


class Sandbox(Server):
    """All vendors on one loopback port, and the control endpoints.

    `variants` are Besitos'; every vendor takes others at any time: `sandbox.keitaro.variants = ...`.
    Example: `with Sandbox(World(days=30), variants=Variants(order="newest")) as sandbox: ... sandbox.url`.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        variants: Variants | None = None,
        token: str = "sandbox-token",  # noqa: S107 - opens nothing but this sandbox
        port: int = 0,
        gzip: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        world = world or World()
        self.besitos = Besitos(world, token=token, variants=variants)
        self.keitaro = Keitaro(world)
        self.infobip = Infobip(world)
        self.conductrics = Conductrics(world)
        self.optibase = Optibase(world)
        vendors: list[Vendor] = [
            self.besitos,
            self.keitaro,
            self.infobip,
            self.conductrics,
            self.optibase,
        ]
        super().__init__(world, vendors, port=port, gzip=gzip, tls=tls)
        self.vendors.append(Control(self))

    @property
    def token(self) -> str:
        """What Besitos takes for `Authorization: Bearer ...`."""
        return self.besitos.token

    def settings(self) -> dict[str, str]:
        """Each vendor's settings, by the name of their environment variable."""
        return {
            "BESITOS_URL": self.url,
            "BESITOS_TOKEN": self.token,
            "BESITOS_PARTNER_ID": self.besitos.partner_id,
            "KEITARO_URL": self.url,
            "KEITARO_API_KEY": self.keitaro.api_key,
            "KEITARO_POSTBACK_KEY": self.keitaro.postback_key,
            "INFOBIP_URL": self.url,
            "INFOBIP_USERNAME": self.infobip.username,
            "INFOBIP_PASSWORD": self.infobip.password,
            "INFOBIP_PAIRS": json.dumps(self.infobip.pairs),
            "CONDUCTRICS_URL": self.url,
            "CONDUCTRICS_API_KEY": self.conductrics.api_key,
            "CONDUCTRICS_ACCOUNT": self.conductrics.account,
            "OPTIBASE_URL": self.url + ENDPOINT,
            "OPTIBASE_PUBLIC_API_KEY": self.optibase.public_api_key,
        }
