// egret_launch CHANNEL [DESCRIPTOR...]: process 1 of the sandbox, and for a moment the command
// before it is itself. The command keeps 0-2 and these descriptors, by their numbers, and no other.
//
// bubblewrap starts it with no capability and the seccomp filter on. It waits for the gate's
// order and forks. The child takes the command's descriptors,
// makes a session and (when asked) a terminal of the sandbox's own /dev/pts, and becomes the
// command. The parent collects what dies, and ends, and everything with it, when the command does.
// It uses no more of the C++ library than headers.
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox-glue/process/launch_message.h"

namespace {

constexpr int status_cannot_launch = 126;
constexpr int status_not_found = 127;
constexpr int stdio_count = 3;

[[noreturn]] void fail(const char* what, const char* subject, int error, int status) {
  dprintf(STDERR_FILENO, "egret: %s%s: %s\n", what, subject, strerror(error));
  _exit(status);
}

struct Order {
  egret::LaunchOrder words;
  int image = -1;
  int stdio[stdio_count] = {-1, -1, -1};
};

// Nothing comes when the gate is gone; then there is nobody to run for.
Order receive_order(int channel) {
  Order order;
  iovec part{&order.words, sizeof(order.words)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (1 + stdio_count))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t length = -1;
  do {
    length = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (length != sizeof(order.words) || order.words.tag != egret::order_tag || rights == nullptr ||
      rights->cmsg_type != SCM_RIGHTS) {
    _exit(status_cannot_launch);
  }
  const unsigned char* next = CMSG_DATA(rights);
  memcpy(&order.image, next, sizeof(int));
  for (int fd = 0; fd < stdio_count; ++fd) {
    if ((order.words.terminal_mask & (1 << fd)) != 0) continue;
    next += sizeof(int);
    memcpy(&order.stdio[fd], next, sizeof(int));
  }
  return order;
}

void send_tag(int channel, char tag, int descriptor) {
  iovec part{&tag, 1};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
  }
  if (sendmsg(channel, &header, MSG_NOSIGNAL) < 0) _exit(status_cannot_launch);
}

// The slave becomes this session's controlling terminal; the master is the gate's.
int open_terminal(Order& order) {
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int locked = 0;
  if (master < 0 || ioctl(master, TIOCSPTLCK, &locked) != 0) {
    fail("cannot open a terminal", "", errno, status_cannot_launch);
  }
  const int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) fail("cannot open a terminal", "", errno, status_cannot_launch);
  tcsetattr(slave, TCSANOW, &order.words.settings);
  ioctl(slave, TIOCSWINSZ, &order.words.window);
  if (ioctl(slave, TIOCSCTTY, 0) != 0) {
    fail("cannot take the terminal", "", errno, status_cannot_launch);
  }
  for (int fd = 0; fd < stdio_count; ++fd) {
    if ((order.words.terminal_mask & (1 << fd)) != 0) order.stdio[fd] = slave;
  }
  return master;
}

// SIGHUP, SIGINT and SIGQUIT stay ignored when the caller ignored them, as under nohup; everything
// else the gate set for itself.
void reset_signals() {
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal == SIGHUP || signal == SIGINT || signal == SIGQUIT) continue;
    sigaction(signal, &usual, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// `count` strings from `at` on, as execve wants them; `at` ends behind the last.
char** take_strings(char*& at, std::uint32_t count) {
  auto** strings = static_cast<char**>(calloc(count + 1U, sizeof(char*)));
  if (strings == nullptr) _exit(status_cannot_launch);
  for (std::uint32_t i = 0; i < count; ++i) {
    strings[i] = at;
    at += strlen(at) + 1;
  }
  return strings;
}

[[noreturn]] void become_command(int image, char** kept) {
  struct stat about {};
  void* bytes = MAP_FAILED;
  if (fstat(image, &about) == 0) {
    bytes = mmap(nullptr, static_cast<size_t>(about.st_size), PROT_READ | PROT_WRITE, MAP_PRIVATE,
                 image, 0);
  }
  if (bytes == MAP_FAILED) fail("cannot read the command", "", errno, status_cannot_launch);
  egret::LaunchImageHead head;
  memcpy(&head, bytes, sizeof(head));
  char* at = static_cast<char*>(bytes) + sizeof(head);
  char** argv = take_strings(at, head.argc);
  environ = take_strings(at, head.envc);
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  for (; *kept != nullptr; ++kept)
    fcntl(atoi(*kept), F_SETFD, 0);
  execvp(argv[0], argv);
  fail("cannot run ", argv[0], errno, errno == ENOENT ? status_not_found : status_cannot_launch);
}

[[noreturn]] void start_command(int channel, Order& order, char** kept) {
  setsid();
  const int master = order.words.terminal_mask != 0 ? open_terminal(order) : -1;
  for (int fd = 0; fd < stdio_count; ++fd)
    dup2(order.stdio[fd], fd);
  send_tag(channel, egret::started_tag, master);
  char go = 0;  // the gate holds on to this process now, and can send it signals
  if (recv(channel, &go, 1, 0) != 1) _exit(status_cannot_launch);
  reset_signals();
  become_command(order.image, kept);
}

// Nothing of the command's stays open here, so that its pipes end when it closes them.
[[noreturn]] void be_init(pid_t command) {
  close_range(0, ~0U, 0);
  while (true) {
    int status = 0;
    const pid_t died = wait(&status);
    if (died < 0 && errno == ECHILD) _exit(status_cannot_launch);
    if (died != command) continue;
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return status_cannot_launch;
  const int channel = atoi(argv[1]);
  fcntl(channel, F_SETFD, FD_CLOEXEC);
  send_tag(channel, egret::ready_tag, -1);
  Order order = receive_order(channel);
  const pid_t command = fork();
  if (command < 0) fail("cannot fork", "", errno, status_cannot_launch);
  if (command == 0) start_command(channel, order, argv + 2);
  be_init(command);
}
