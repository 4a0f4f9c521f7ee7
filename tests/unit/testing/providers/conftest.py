import pytest

from tendred.testing.providers.__main__ import PROVIDERS


@pytest.fixture(params=list(PROVIDERS))
def provider(request):
    return request.param
