"""Compose files and devcontainer.json as values, checked against the keys of their specifications
that ours use; and a service as podman's own flags, where no compose program is."""

import json
import re
from pathlib import Path

import yaml

TOP = {"name": str, "services": dict, "networks": dict, "volumes": dict}
SERVICE = {
    "build": str, "image": str, "network_mode": str, "networks": list, "dns": list,
    "depends_on": dict, "user": str, "cap_drop": list, "cap_add": list, "security_opt": list,
    "read_only": bool, "tmpfs": list, "environment": (list, dict), "volumes": list,
    "working_dir": str, "entrypoint": list, "command": list, "init": bool, "healthcheck": dict,
    "restart": str,
}  # fmt: skip
HEALTHCHECK = {"test": list, "interval": str, "timeout": str, "retries": int}
NETWORK = {"internal": bool}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
RESTARTS = {"no", "always", "on-failure", "unless-stopped"}
DEVCONTAINER = {
    "name": str, "dockerComposeFile": str, "service": str, "shutdownAction": str,
    "workspaceFolder": str, "remoteUser": str, "updateRemoteUserUID": bool, "features": dict,
    "remoteEnv": dict, "userEnvProbe": str,
}  # fmt: skip
FEATURE = {"id": str, "version": str, "name": str, "description": str}


def checked(mapping, known, what):
    for key, value in mapping.items():
        assert key in known, f"{what}: unknown key {key}"
        assert isinstance(value, known[key]), f"{what}: {key} is a {type(value).__name__}"
    return mapping


def read_compose(path):
    """The file, every key of which is one that the specification knows."""
    told = checked(yaml.safe_load(Path(path).read_text()), TOP, "the file")
    for name, service in told["services"].items():
        checked(service, SERVICE, name)
        checked(service.get("healthcheck", {}), HEALTHCHECK, f"{name}.healthcheck")
        assert ("build" in service) != ("image" in service), name
        assert service.get("restart", "no") in RESTARTS
        for other, how in service.get("depends_on", {}).items():
            assert other in told["services"] and how["condition"] in CONDITIONS
        for network in service.get("networks", []):
            assert network in told["networks"]
        mode = service.get("network_mode", "bridge")
        assert mode == "bridge" or mode.removeprefix("service:") in told["services"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith(".") or source in told["volumes"], volume
    for name, network in told.get("networks", {}).items():
        checked(network or {}, NETWORK, name)
    return told


def without_comments(text):
    """Of JSON with comments on lines of their own."""
    return re.sub(r"^\s*//.*$", "", text, flags=re.M)


def read_devcontainer(path):
    return checked(json.loads(without_comments(Path(path).read_text())), DEVCONTAINER, str(path))


def environment_of(service):
    told = service.get("environment", [])
    return [f"{k}={v}" for k, v in told.items()] if isinstance(told, dict) else told


def podman_flags(service, folder, volumes):
    """What `podman run` needs to start this service, but for its network and its image. `volumes`
    are folders in the place of named volumes."""
    flags = []
    for name in ("cap_drop", "cap_add", "security_opt", "tmpfs"):
        for value in service.get(name, []):
            # Only podman fills a tmpfs with what the image has there.
            more = ":notmpcopyup" if name == "tmpfs" else ""
            flags.append(f"--{name.replace('_', '-')}={value.removesuffix(':true')}{more}")
    for pair in environment_of(service):
        flags.append(f"--env={pair}")
    for volume in service.get("volumes", []):
        source, rest = volume.split(":", 1)
        place = volumes[source] if source in volumes else (Path(folder) / source).resolve()
        flags.append(f"--volume={place}:{rest}")
    if service.get("read_only"):
        flags.append("--read-only")
    if "user" in service:
        flags.append(f"--user={service['user']}")
    if "working_dir" in service:
        flags.append(f"--workdir={service['working_dir']}")
    return flags


def command_of(service, *command):
    """entrypoint and command, as compose writes them: `$$` is a `$`."""
    words = [*service.get("entrypoint", []), *(command or service.get("command", []))]
    return [word.replace("$$", "$") for word in words]
