from __future__ import annotations

from collections.abc import Iterator

import pytest
from health_servers import Servers


@pytest.fixture()
def servers() -> Iterator[Servers]:
    found = Servers()
    yield found
    found.end()
