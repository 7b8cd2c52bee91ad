"""The floors hold, and the checker would notice if they did not."""

from pathlib import Path

import pytest
from check_floors import FLOORS, faults_of_name, faults_of_text, faults_of_tree

ROOT = Path(__file__).resolve().parents[2]


def test_every_include_of_the_tree_points_down():
    assert list(faults_of_tree(ROOT)) == []


def test_no_floor_can_reach_itself_through_others():
    def below(floor):
        return {floor, *(deeper for lower in FLOORS[floor] for deeper in below(lower))}

    for floor, lowers in FLOORS.items():
        assert all(floor not in below(lower) for lower in lowers), floor


@pytest.mark.parametrize(
    "path, line",
    [
        ("policy/target/host.cpp", '#include "certs/authority.h"'),
        ("certs/trust.h", '#include "proxy/wire/http1.h"'),
        ("proxy/wire/http1_head.cpp", '#include "proxy/exchange/exchange.h"'),
        ("proxy/exchange/exchange.h", '#include "proxy/io/stream.h"'),
        ("proxy/io/dialer.cpp", '#include "proxy/session/worker.h"'),
        ("proxy/audit/log.cpp", '#include "proxy/io/stream.h"'),
        ("proxy/session/tunnel.cpp", '#include "proxy/server/gate.h"'),
        ("proxy/io/stream.cpp", '  #  include "sandbox-glue/process/terminal.h"'),
        ("proxy/io/stream.cpp", '#include "stream.h"'),
        ("proxy/exchange/exchange.cpp", "#include <boost/asio/awaitable.hpp>"),
        ("proxy/server/gate.cpp", "#include <yaml-cpp/yaml.h>"),
        ("policy/target/host.cpp", "#include <openssl/evp.h>"),
    ],
)
def test_an_include_that_points_up_is_named(path, line):
    (fault,) = faults_of_text(path, f"#pragma once\n{line}\n")
    assert fault.startswith(f"{path}:2: ")


@pytest.mark.parametrize(
    "path, line",
    [
        ("proxy/io/stream.cpp", '#include "proxy/io/stream.h"'),
        ("proxy/io/socket_address.cpp", '#include "sandbox-glue/namespace/original_destination.h"'),
        ("proxy/secrets/source.h", '#include "config/config.h"'),
        ("proxy/main/main.cpp", '#include "policy/target/host.h"'),
        ("config/config.cpp", "#include <yaml-cpp/yaml.h>"),
        ("proxy/session/worker.h", "#include <boost/asio/io_context.hpp>"),
        ("policy/target/host.h", "#include <string>"),
        ("policy/target/host.h", '// no #include "proxy/io/stream.h" here'),
    ],
)
def test_an_include_that_points_down_is_silent(path, line):
    assert list(faults_of_text(path, line)) == []


@pytest.mark.parametrize("name", ["util.h", "string_utils.cpp", "common.h", "ConfigManager-manager.py"])
def test_a_name_that_says_nothing_is_refused(name):
    assert list(faults_of_name(f"policy/{name}"))
