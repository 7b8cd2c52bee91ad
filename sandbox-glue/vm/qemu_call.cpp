#include "sandbox-glue/vm/qemu_call.h"

#include <fcntl.h>
#include <functional>
#include <unistd.h>

#include "sandbox-glue/namespace/memory_file.h"
#include "sandbox-glue/process/launch_image.h"
#include "sandbox-glue/process/seccomp_filter.h"

namespace egret {
namespace {

using NameDocument = std::function<std::string(std::string_view content)>;

constexpr const char* kernel_inside = "/run/egret/kernel";
constexpr const char* initrd_inside = "/run/egret/initrd";
constexpr const char* disk_inside = "/run/egret/disk";
constexpr const char* facts_inside = "/run/egret/facts/";

// Panics end the machine (with -no-reboot) instead of leaving a person before a dead console.
constexpr const char* kernel_words = "console=ttyS0 panic=-1";

std::vector<std::string> bubblewrap_options(const Machine& machine,
                                            const std::vector<GuestFact>& facts,
                                            const std::string& seccomp,
                                            const NameDocument& name_document) {
  std::vector<std::string> words = {"--unshare-user",
                                    "--unshare-pid",
                                    "--unshare-ipc",
                                    "--unshare-uts",
                                    "--unshare-cgroup-try",
                                    "--die-with-parent",
                                    "--as-pid-1",
                                    "--cap-drop",
                                    "ALL",
                                    "--seccomp",
                                    seccomp,
                                    "--tmpfs",
                                    "/",
                                    "--dev",
                                    "/dev"};
  const auto add = [&](std::initializer_list<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  for (const char* tree : {"/usr", "/lib", "/lib64", "/etc/ld.so.cache"})
    add({"--ro-bind-try", tree, tree});
  if (machine.kvm) add({"--dev-bind-try", "/dev/kvm", "/dev/kvm"});
  if (!machine.kernel.empty()) add({"--ro-bind", machine.kernel, kernel_inside});
  if (!machine.initrd.empty()) add({"--ro-bind", machine.initrd, initrd_inside});
  if (!machine.disk.empty()) add({"--bind", machine.disk, disk_inside});
  for (std::size_t i = 0; i < facts.size(); ++i)
    add({"--ro-bind-data", name_document(facts[i].content), facts_inside + std::to_string(i)});
  add({"--perms", "0555", "--ro-bind-data", name_document(launch_image()), launch_path,
       "--remount-ro", "/", "--chdir", "/"});
  return words;
}

// A raw disk that the guest makes look like another format must stay raw: another format can name
// files of ours.
std::string disk_format(const std::string& path) {
  return path.ends_with(".qcow2") ? "qcow2" : "raw";
}

std::vector<std::string> qemu_words(const std::string& qemu, const Machine& machine,
                                    const std::vector<GuestFact>& facts, const std::string& queue,
                                    const std::string& status) {
  std::vector<std::string> words = {qemu,
                                    "-name",
                                    "egret",
                                    "-nodefaults",
                                    "-no-user-config",
                                    "-no-reboot",
                                    "-display",
                                    "none",
                                    "-machine",
                                    std::string("q35,accel=") + (machine.kvm ? "kvm:tcg" : "tcg"),
                                    "-cpu",
                                    "max",
                                    "-smp",
                                    std::to_string(machine.cpus),
                                    "-m",
                                    std::to_string(machine.memory_mib)};
  const auto add = [&](std::initializer_list<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  add({"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  add({"-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console"});
  add({"-add-fd", "set=1,fd=" + status, "-chardev", "file,id=status,path=/dev/fdset/1,append=on",
       "-serial", "chardev:status"});
  add({"-netdev", "tap,id=net,vhost=off,fd=" + queue, "-device",
       std::string("virtio-net-pci,netdev=net,romfile=,mac=") + guest_card});
  add({"-device", "virtio-rng-pci"});
  if (!machine.disk.empty()) {
    add({"-drive",
         std::string("if=none,id=disk,file=") + disk_inside +
             ",format=" + disk_format(machine.disk),
         "-device", "virtio-blk-pci,drive=disk"});
  }
  for (std::size_t i = 0; i < facts.size(); ++i)
    add({"-fw_cfg", "name=" + facts[i].name + ",file=" + facts_inside + std::to_string(i)});
  if (!machine.kernel.empty()) {
    add({"-kernel", kernel_inside, "-append",
         kernel_words + (machine.append.empty() ? "" : " " + machine.append)});
  }
  if (!machine.initrd.empty()) add({"-initrd", initrd_inside});
  return words;
}

}  // namespace

Result<QemuCall, SetupFault> make_qemu_call(const std::string& bwrap_path,
                                            const std::string& qemu_path, const Machine& machine,
                                            const std::vector<GuestFact>& facts, int channel,
                                            UniqueFd status) {
  QemuCall call;
  auto& documents = call.bubblewrap.documents;
  Result<void, SetupFault> outcome;
  const auto keep = [&](Result<UniqueFd, SetupFault> document) -> std::string {
    if (!document) {
      outcome = document.error();
      return "-1";
    }
    documents.push_back(std::move(*document));
    return std::to_string(documents.back().get());
  };
  const std::string seccomp = keep(make_seccomp_filter());
  const auto options = bubblewrap_options(machine, facts, seccomp, [&](std::string_view content) {
    return keep(make_memory_file("egret-document", content));
  });
  std::string joined;
  for (const auto& word : options)
    joined.append(word).push_back('\0');
  const std::string arguments = keep(make_memory_file("egret-bwrap-arguments", joined));
  const std::string status_number = keep(std::move(status));
  // A number for the device, which does not exist yet.
  const std::string queue_number = keep(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  if (!outcome) return outcome.error();
  call.guest_queue = &documents.back();
  call.command = qemu_words(qemu_path, machine, facts, queue_number, status_number);
  call.bubblewrap.argv = {bwrap_path,   "--args",     arguments,
                          "--",         launch_path,  std::to_string(channel),
                          queue_number, status_number};
  return call;
}

std::string describe_qemu_call(const Machine& machine, const std::vector<GuestFact>& facts) {
  std::string text = "bwrap";
  const auto add = [&](const std::vector<std::string>& words, const char* option) {
    for (const auto& word : words)
      text.append(word.rfind(option, 0) == 0 ? "\n  " : " ").append(word);
  };
  add(bubblewrap_options(machine, facts, "<filter>",
                         [](std::string_view content) {
                           return "<" + std::to_string(content.size()) + " bytes>";
                         }),
      "--");
  text += "\n  -- " + std::string(launch_path) + "\n";
  add(qemu_words("qemu-system-x86_64", machine, facts, "TAP", "STATUS"), "-");
  return text + "\n";
}

}  // namespace egret
