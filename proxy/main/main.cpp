// The egret command: arguments to verbs. Everything else is in proxy/server.
#include <algorithm>
#include <exception>
#include <functional>
#include <iostream>
#include <string_view>

#include <CLI/CLI.hpp>

#include "proxy/server/verbs.h"
#include "proxy/server/version.h"

namespace {

using egret::Flags;

void add_config(CLI::App& app, std::optional<std::string>& config) {
  app.add_option("--config", config,
                 "configuration file (default: ./egret.yaml, then ~/.config/egret/egret.yaml)");
}

void add_policy(CLI::App& app, Flags& flags) {
  add_config(app, flags.config);
  app.add_option("--sandbox", flags.sandbox, "the sandbox whose policy applies (default: default)");
  app.add_option("--profile", flags.profiles,
                 "add a profile: strict, anthropic, github-read, npm, ... (egret init config names "
                 "them all)")
      ->allow_extra_args(false);
  app.add_option("--allow", flags.allow,
                 "add a host, e.g. api.example.com or '*.example.com' or host:8443")
      ->allow_extra_args(false);
  app.add_option("--secret", flags.secrets,
                 "add a secret of the file, or a well-known one such as GITHUB_TOKEN")
      ->allow_extra_args(false);
}

struct CommandLine {
  CLI::App app{"egret: the one gate through which a sandboxed agent reaches the network"};
  std::function<int()> chosen;
  egret::RunFlags run;
  egret::CheckFlags check;
  egret::EnvFlags env;
  egret::CaFlags ca;
  egret::AuditFlags audit;
  egret::HostFlags host;
  egret::AttachFlags attach;
  std::string control_directory;
  Flags show;
  std::optional<std::string> config;
  std::optional<std::string> init_path;
  bool force = false;
  bool proxy_only = false;
  bool json = false;
  bool version = false;

  CLI::App* verb(const char* name, const char* what, const char* example, CLI::App* of = nullptr) {
    CLI::App* made = (of != nullptr ? of : &app)->add_subcommand(name, what);
    made->footer(std::string("Example:\n  ") + example);
    return made;
  }

  void add_run() {
    CLI::App* v =
        verb("run", "run a command in a sandbox of its own: egret run [OPTIONS] -- COMMAND...",
             "egret run --profile github-read -- git clone https://github.com/owner/repo\n"
             "  ANTHROPIC_API_KEY=... egret run --profile anthropic --secret ANTHROPIC_API_KEY -- "
             "claude\n"
             "  egret run --container docker.io/library/python:3 --profile pypi -- pip install x\n"
             "  egret run --vm --kernel vmlinuz --initrd initrd.img --disk root.qcow2");
    add_policy(*v, run);
    v->add_option("--rw", run.writable,
                  "a path that the command may write to (the current directory always is)")
        ->allow_extra_args(false);
    v->add_option("--env", run.pass, "pass this variable although it looks like a credential")
        ->allow_extra_args(false);
    v->add_option("--container", run.container,
                  "run it in a container of this image (podman, with root or without)");
    v->add_option("--container-option", run.container_options,
                  "hand an option on to podman, e.g. --container-option=--memory=2g; nothing that "
                  "opens the network or the host")
        ->allow_extra_args(false);
    add_machine(*v);
    v->add_flag("--dry-run", run.dry_run, "print what would be set up, and do nothing");
    v->add_flag("--quiet", run.quiet, "no summary line");
    v->callback([this] { chosen = [this] { return egret::run_verb(run); }; });
  }

  void add_machine(CLI::App& v) {
    const char* group = "Virtual machine";
    egret::Machine& machine = run.machine;
    v.add_flag("--vm", run.vm,
               "boot a virtual machine (QEMU) whose only network is the gate; a command runs in it "
               "where the guest has the line that sandbox-glue/vm/README.md shows")
        ->group(group);
    v.add_option("--kernel", machine.kernel, "Linux kernel to boot")->group(group);
    v.add_option("--initrd", machine.initrd, "its initial RAM disk")->group(group);
    v.add_option(
         "--disk", machine.disk,
         "disk image, written to: qcow2 if its name ends so, else raw; boots if there is no "
         "--kernel")
        ->group(group);
    v.add_option("--append", machine.append, "more words for the kernel's command line")
        ->group(group);
    v.add_option("--memory", machine.memory_mib, "MiB")->capture_default_str()->group(group);
    v.add_option("--cpus", machine.cpus, "processors")->capture_default_str()->group(group);
    v.add_flag_callback(
         "--no-kvm", [&machine] { machine.kvm = false; },
         "emulate, even where /dev/kvm could be used")
        ->group(group);
  }

  void add_service() {
    CLI::App* serve =
        verb("serve", "the gate as a daemon: explicit listeners for sandboxes that exist already",
             "egret serve --config egret.yaml");
    add_config(*serve, config);
    serve->callback([this] { chosen = [this] { return egret::serve_verb(config); }; });
    CLI::App* status = verb("status", "what the running gates are doing", "egret status --json");
    add_config(*status, config);
    status->add_flag("--json", json, "one JSON object");
    status->callback([this] { chosen = [this] { return egret::status_verb(config, json); }; });
    CLI::App* reload =
        verb("reload", "make the running gates read their configuration again", "egret reload");
    add_config(*reload, config);
    reload->add_flag("--json", json, "one JSON line a gate");
    reload->callback([this] { chosen = [this] { return egret::reload_verb(config, json); }; });
  }

  void add_attach() {
    CLI::App* v = verb("attach", "put an existing network namespace behind the running gate",
                       "egret attach --sandbox web --netns /run/netns/web\n"
                       "  egret attach --sandbox web --container my-container --dry-run\n"
                       "  egret attach --sandbox vm --netns /run/netns/vm --tap tap0\n"
                       "  egret attach --list\n"
                       "  egret attach --detach --netns /run/netns/web");
    add_config(*v, attach.config);
    v->add_option("--sandbox", attach.sandbox, "the sandbox that it is, as egret.yaml names it");
    v->add_option("--netns", attach.netns, "a namespace's file, as `ip netns add` makes it");
    v->add_option("--pid", attach.pid, "the namespace of this process, until it ends");
    v->add_option("--container", attach.container,
                  "that of a running podman or docker container without network (--network none)");
    v->add_flag("--oci-hook", attach.oci_hook,
                "as a hook of a container runtime, which says on standard input which container");
    v->add_option("--tap", attach.tap,
                  "the tap device of a virtual machine in it, which is started afterwards");
    v->add_flag("--list", attach.list, "what is attached");
    v->add_flag("--detach", attach.detach, "take it back; its rules stay, and nothing leaves it");
    v->add_flag("--dry-run", attach.dry_run, "print what would be set up, and do nothing");
    v->add_flag("--json", attach.json, "JSON");
    v->callback([this] { chosen = [this] { return egret::attach_verb(attach); }; });
    CLI::App* keeper = app.add_subcommand("keeper", "internal: keeps what `attach` was given");
    keeper->group("")->add_option("directory", control_directory)->required();
    keeper->callback([this] { chosen = [this] { return egret::keeper_verb(control_directory); }; });
  }

  void add_questions() {
    CLI::App* v = verb("check", "what would happen to a request, and which rule says so",
                       "egret check --profile npm https://registry.npmjs.org/left-pad");
    add_policy(*v, check);
    v->add_option("--method", check.method, "request method")->capture_default_str();
    v->add_option("url", check.url, "http:// or https:// URL")->required();
    v->add_flag("--json", check.json, "one JSON object");
    v->callback([this] { chosen = [this] { return egret::check_verb(check); }; });
    CLI::App* e =
        verb("env", "shell exports for a client of `egret serve`; they ask, they enforce nothing",
             "eval \"$(egret env --sandbox web)\"");
    add_policy(*e, env);
    e->add_option("--files", env.files,
                  "put the CA bundle and trust store here, for clients that cannot read the state "
                  "directory; root's own folder, e.g. /etc/egret/web");
    e->add_flag("--json", env.json, "one JSON object");
    e->add_option("--proxy-at", env.proxy_at,
                  "where clients reach the listener, as HOST:PORT (default: where it listens)");
    e->callback([this] { chosen = [this] { return egret::env_verb(env); }; });
  }

  void add_ca() {
    CLI::App* v = verb("ca", "the sandbox's certificate authority", "egret ca show --sandbox web");
    v->require_subcommand(1);
    const auto add = [&](const char* name, const char* what, const char* example,
                         int (*does)(const egret::CaFlags&)) {
      CLI::App* sub = verb(name, what, example, v);
      add_policy(*sub, ca);
      sub->callback([this, does] { chosen = [this, does] { return does(ca); }; });
      return sub;
    };
    add("init", "make it, where there is none", "egret ca init --sandbox web --rotate",
        &egret::ca_init_verb)
        ->add_flag("--rotate", ca.rotate, "make a new key and certificate in place of the old");
    add("show", "subject, fingerprint, validity and PEM", "egret ca show --sandbox web",
        &egret::ca_show_verb);
    add("bundle", "PEM of the system's roots and this CA", "egret ca bundle > bundle.pem",
        &egret::ca_bundle_verb);
  }

  void add_audit() {
    CLI::App* v = verb("audit", "read the audit log", "egret audit show --denied --since 1h");
    v->require_subcommand(1);
    for (const auto& [name, what] :
         {std::pair("show", "one line an exchange"), std::pair("tail", "the same, as they come"),
          std::pair("summary", "counts by sandbox, host and reason"),
          std::pair("verify", "check the hash chains")}) {
      CLI::App* sub = verb(name, what, (std::string("egret audit ") + name + " --json").c_str(), v);
      add_config(*sub, audit.config);
      sub->add_option("--file", audit.file, "audit file (default: that of the configuration)");
      sub->add_option("--sandbox", audit.sandbox, "only this sandbox");
      sub->add_option("--since", audit.since, "2026-01-02T03:04:05Z, or 10m, 2h, 3d ago");
      sub->add_flag("--denied", audit.denied, "only what was denied");
      sub->add_flag("--json", audit.json, "JSON");
      sub->callback([this, word = std::string(name)] {
        chosen = [this, word] { return egret::audit_verb(word, audit); };
      });
    }
  }

  void add_host() {
    CLI::App* v = verb("host", "a user of this machine behind the gate's redirect listener",
                       "sudo egret host apply --user agent --config /etc/egret/egret.yaml");
    v->require_subcommand(1);
    const auto add = [&](const char* name, const char* what, const char* example,
                         int (*does)(const egret::HostFlags&)) {
      CLI::App* sub = verb(name, what, example, v);
      sub->callback([this, does] { chosen = [this, does] { return does(host); }; });
      return sub;
    };
    CLI::App* apply =
        add("apply",
            "redirect the user's TCP and DNS to the gate and refuse everything else (needs root)",
            "sudo egret host apply --user agent --loopback-port 3000-3010\n"
            "  egret host apply --user agent --dry-run",
            &egret::host_apply_verb);
    apply->add_option("--user", host.user, "name or uid")->required();
    add_config(*apply, host.config);
    apply->add_option("--sandbox", host.sandbox,
                      "whose `redirect:` listener, if there are several");
    apply->add_option("--cgroup", host.cgroup,
                      "only the user's processes in this cgroup, e.g. agents.slice/a.scope");
    apply
        ->add_option("--loopback-port", host.loopback_ports,
                     "a TCP port, or 3000-3010, that stays open on 127.0.0.1 and ::1, to whatever "
                     "listens there")
        ->allow_extra_args(false);
    apply->add_flag("--iptables", host.iptables, "by iptables-legacy and not by nft");
    apply->add_flag("--dry-run", host.dry_run, "print the rules, and do nothing");
    add("remove", "take the user's rules away again, without a trace",
        "sudo egret host remove --user agent", &egret::host_remove_verb)
        ->add_option("--user", host.user, "name or uid")
        ->required();
    CLI::App* shows = add("show", "who is confined, and what the rules counted",
                          "sudo egret host show --json", &egret::host_show_verb);
    shows->add_option("--user", host.user, "only this one; ends with 1 if it is not confined");
    shows->add_flag("--json", host.json, "one JSON array");
  }

  CLI::App* add_init(CLI::App& init, const char* name, const char* what, const char* example,
                     std::function<egret::StarterKind()> kind) {
    CLI::App* made = verb(name, what, example, &init);
    made->add_option("project", init_path, "the project's folder (default: the current one)");
    made->add_flag("--force", force, "replace files that are there");
    made->callback([this, kind] {
      chosen = [this, kind] { return egret::init_files_verb(kind(), init_path, force); };
    });
    return made;
  }

  void add_config_verbs() {
    CLI::App* v = verb("config", "the configuration file", "egret config check");
    v->require_subcommand(1);
    CLI::App* checks = verb("check", "every error of the file, with line and column",
                            "egret config check --config egret.yaml", v);
    add_config(*checks, config);
    checks->callback([this] { chosen = [this] { return egret::config_check_verb(config); }; });
    CLI::App* shows = verb("show", "the effective policy and where each line came from",
                           "egret config show --sandbox web", v);
    add_config(*shows, show.config);
    shows->add_option("--sandbox", show.sandbox, "only this sandbox");
    shows->callback([this] { chosen = [this] { return egret::config_show_verb(show); }; });
    CLI::App* init = verb("init", "write commented starting files", "egret init config");
    init->require_subcommand(1);
    CLI::App* starter =
        verb("config", "an egret.yaml to begin with", "egret init config egret.yaml", init);
    starter->add_option("path", init_path, "where (default: egret.yaml)");
    starter->add_flag("--force", force, "replace a file that is there");
    starter->callback(
        [this] { chosen = [this] { return egret::init_config_verb(init_path, force); }; });
    CLI::App* compose = add_init(
        *init, "compose",
        "egret/: a gate and a sandbox that share a network namespace, for compose",
        "egret init compose && cat egret/compose.yaml", [this] {
          return proxy_only ? egret::StarterKind::compose_proxy : egret::StarterKind::compose;
        });
    compose->add_flag("--proxy", proxy_only,
                      "the simple variant: an internal network and proxy variables, no rules");
    add_init(*init, "devcontainer",
             ".devcontainer/: a development container behind a gate of its own",
             "egret init devcontainer && cat .devcontainer/compose.yaml",
             [] { return egret::StarterKind::devcontainer; });
  }

  CommandLine() {
    app.footer(
        "Example:\n  egret run --profile github-read -- git clone "
        "https://github.com/owner/repo\n\n`egret VERB --help` shows an example of each verb.");
    app.add_flag("--version", version, "version and the libraries in use");
    app.add_flag("--json", json, "with --version: JSON");
    add_run();
    add_service();
    add_attach();
    add_questions();
    add_ca();
    add_audit();
    add_host();
    add_config_verbs();
  }
};

constexpr int exit_usage = 2;
constexpr int exit_internal = 70;

}  // namespace

int main(int argc, char** argv) {
  try {
    CommandLine line;
    try {
      // What stands behind `--` is the command, word for word; CLI11 would read brackets in it.
      char** const end = argv + argc;
      char** const dashes =
          std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
      for (char** word = dashes == end ? end : dashes + 1; word != end; ++word)
        line.run.command.emplace_back(*word);
      line.app.parse(static_cast<int>(dashes - argv), argv);
    } catch (const CLI::ParseError& error) {
      return line.app.exit(error) == 0 ? 0 : exit_usage;
    }
    if (line.version) {
      std::cout << egret::version_text(line.json);
      return 0;
    }
    if (!line.chosen) {
      std::cerr << line.app.help();
      return exit_usage;
    }
    return line.chosen();
  } catch (const std::exception& error) {
    std::cerr << "egret: internal error: " << error.what() << std::endl;
    return exit_internal;
  }
}
