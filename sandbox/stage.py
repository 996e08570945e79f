"""The sandbox as tests and the demo use it: one world, every vendor that tells of it, one server."""

from __future__ import annotations

import ssl

from sandbox.besitos import Besitos, Variants
from sandbox.control import Control
from sandbox.server import Server
from sandbox.world import World


class Sandbox(Server):
    """All vendors on one loopback port, and the control endpoints.

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
        super().__init__(world, [self.besitos], port=port, gzip=gzip, tls=tls)
        self.vendors.append(Control(self))

    @property
    def token(self) -> str:
        """What Besitos takes for `Authorization: Bearer ...`."""
        return self.besitos.token
