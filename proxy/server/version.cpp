#include "proxy/server/version.h"

#include <ares.h>
#include <boost/version.hpp>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>

namespace egret {

std::string version_text(bool json) {
  const std::string boost =
      std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000);
  if (json) {
    nlohmann::ordered_json out;
    out["egret"] = EGRET_VERSION;
    out["libraries"] = {{"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
                        {"boost", boost},
                        {"c-ares", ares_version(nullptr)}};
    return out.dump() + "\n";
  }
  return std::string("egret ") + EGRET_VERSION + "\n" + OpenSSL_version(OPENSSL_VERSION) +
         "\nBoost " + boost + "\nc-ares " + ares_version(nullptr) + "\n";
}

}  // namespace egret
