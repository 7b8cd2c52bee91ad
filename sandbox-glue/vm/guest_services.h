// Answers the guest's questions about its network: DHCP, and router advertisements on request and
// now and then. Only for a guest that asks; one that is told by guest.sh has no need to.
#pragma once

#include <vector>

#include "sandbox-glue/namespace/guest_sockets.h"
#include "sandbox-glue/process/supervise.h"

namespace egret {

class GuestServices {
 public:
  explicit GuestServices(GuestSockets sockets);

  // Borrow this object.
  std::vector<Errand> errands();

 private:
  void answer_dhcp_questions();
  void answer_router_questions();
  void remind();
  void advertise();

  GuestSockets sockets_;
  UniqueFd timer_;
};

}  // namespace egret
