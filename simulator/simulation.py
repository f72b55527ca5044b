"""One simulated iconik, assembled from its parts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from simulator.b2_keys import Keyring
from simulator.copies import Copies
from simulator.deletion import Deletions
from simulator.faults import BucketFaults, CopyFaults, RequestFaults
from simulator.gate import Token
from simulator.library import Library
from simulator.objects import Objects
from simulator.records import Storage
from simulator.rights import Rights
from simulator.settings import Settings
from simulator.signing import Signer

B2_ID = "b2b2b2b2-0000-4000-8000-000000000001"
LUCIDLINK_ID = "11111111-0000-4000-8000-000000000002"
APP_ID = "a99a99a9-0000-4000-8000-000000000003"
TOKEN = "simulated-token"  # noqa: S105 - opens nothing but a simulator on the loopback


class Place(NamedTuple):
    """The real directories of the two storages, and their ids."""

    b2: Path
    lucidlink: Path
    b2_id: str = B2_ID
    lucidlink_id: str = LUCIDLINK_ID


@dataclass
class Simulation:
    """One simulated iconik. Copies run only after they are started."""

    place: Place
    app_id: str = APP_ID
    token: str = TOKEN
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.b2 = Storage(self.place.b2_id, "B2", "B2", self.place.b2)
        self.b2.settings["bucket_name"] = self.place.b2.name
        self.lucidlink = Storage(self.place.lucidlink_id, "LucidLink", "FILE", self.place.lucidlink)
        self.lucidlink.settings["mount_point"] = str(self.place.lucidlink)
        self.library = Library([self.b2, self.lucidlink])
        self.request_faults = RequestFaults()
        self.bucket_faults = BucketFaults()
        self.copy_faults = CopyFaults()
        self.tokens = {self.token: Token(self.token)}
        self.rights = Rights()
        self.copies = Copies(self.library, self.settings, self.copy_faults)
        self.objects = Objects(self.library)
        self.keyring = Keyring()
        self.signer = Signer(self.settings)
        self.deletions = Deletions(
            self.library,
            self.settings,
            self.objects,
            self.rights,
            self.b2.id,
            self.lucidlink.id,
        )

    def storage(self, key: str) -> Storage | None:
        """Return a storage by its id, or by 'b2' or 'lucidlink'."""
        short = {"b2": self.b2, "lucidlink": self.lucidlink}
        return short.get(key) or self.library.storages.get(key.lower())

    def key(self, storage: Storage) -> str:
        """Return the short name of a storage, or its id."""
        short = {self.b2.id: "b2", self.lucidlink.id: "lucidlink"}
        return short.get(storage.id, storage.id)
