"""Whose service a URL leads to, and what of a URL may be kept."""

from types import SimpleNamespace

import pytest

from qbrain.backends.ibm_origin import calibration_digest, host_of, is_ibm, plain_url, strangers


@pytest.mark.parametrize(
    "url",
    [
        "https://quantum.cloud.ibm.com/api/v1",
        "https://us-east.quantum.cloud.ibm.com/api/v1",
        "https://eu-de.quantum-computing.ibm.com:443/",
        "https://QUANTUM.CLOUD.IBM.COM/api",
    ],
)
def test_services_of_ibm(url):
    assert is_ibm(url)
    assert strangers([url]) == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8617/experimental", "127.0.0.1"),
        ("https://[::1]:8617/", "::1"),
        ("https://ibm.com.example.org/api", "ibm.com.example.org"),
        ("https://notibm.com/api", "notibm.com"),
        ("https://example.org/?.ibm.com", "example.org"),
        ("https://quantum.cloud.ibm.com@example.org/", "example.org"),
        # nobody has proven who answers there
        ("http://quantum.cloud.ibm.com/api", "quantum.cloud.ibm.com"),
        ("", "an unnamed host"),
        ("experimental", "an unnamed host"),
    ],
)
def test_services_of_others(url, host):
    assert not is_ibm(url)
    assert strangers([url, url, "https://quantum.cloud.ibm.com/"]) == [host]


def test_nothing_secret_of_a_url_is_kept():
    url = "https://me:hunter2@quantum.cloud.ibm.com:443/api/v1?token=hunter2#hunter2"
    assert plain_url(url) == "https://quantum.cloud.ibm.com:443/api/v1"
    assert plain_url("") == ""
    assert host_of("https://[broken") == ""


def test_a_calibration_is_known_by_its_digest():
    one = SimpleNamespace(to_dict=lambda: {"b": 1, "a": [2.5]})
    same = SimpleNamespace(to_dict=lambda: {"a": [2.5], "b": 1})
    other = SimpleNamespace(to_dict=lambda: {"a": [2.5000001], "b": 1})
    # sha256 of {"a": [2.5], "b": 1}
    assert calibration_digest(one) == calibration_digest(same)
    assert calibration_digest(one) == (
        "e29416a8e9008a7c9d3ad5a27ece0434abb04d45df100b745b30285ce8538c04"
    )
    assert calibration_digest(other) != calibration_digest(one)
