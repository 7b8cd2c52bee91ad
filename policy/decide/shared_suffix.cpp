#include "policy/decide/shared_suffix.h"

#include <algorithm>
#include <iterator>

namespace egret {
namespace {

constexpr std::string_view suffixes[] = {
    "ac.jp",
    "ac.uk",
    "amazonaws.com",
    "appspot.com",
    "azureedge.net",
    "azurewebsites.net",
    "blob.core.windows.net",
    "blogspot.com",
    "cdn.cloudflare.net",
    "cloudapp.azure.com",
    "cloudapp.net",
    "cloudfront.net",
    "cloudfunctions.net",
    "co.id",
    "co.il",
    "co.in",
    "co.jp",
    "co.kr",
    "co.nz",
    "co.th",
    "co.uk",
    "co.za",
    "codespaces.github.dev",
    "com.ar",
    "com.au",
    "com.br",
    "com.cn",
    "com.hk",
    "com.mx",
    "com.my",
    "com.sg",
    "com.tr",
    "com.tw",
    "com.ua",
    "com.vn",
    "core.windows.net",
    "deno.dev",
    "digitaloceanspaces.com",
    "edu.au",
    "elasticbeanstalk.com",
    "elb.amazonaws.com",
    "firebaseapp.com",
    "firebaseio.com",
    "fly.dev",
    "github.dev",
    "github.io",
    "githubpreview.dev",
    "gitlab.io",
    "gov.uk",
    "herokuapp.com",
    "hf.space",
    "lambda-url.us-east-1.on.aws",
    "ne.jp",
    "net.au",
    "netlify.app",
    "netlify.com",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "on.aws",
    "onrender.com",
    "or.jp",
    "org.au",
    "org.uk",
    "pages.dev",
    "r2.cloudflarestorage.com",
    "r2.dev",
    "railway.app",
    "replit.app",
    "repl.co",
    "run.app",
    "s3.amazonaws.com",
    "storage.googleapis.com",
    "surge.sh",
    "trycloudflare.com",
    "vercel.app",
    "web.app",
    "web.core.windows.net",
    "workers.dev",
};

}  // namespace

bool is_shared_suffix(std::string_view name) {
  if (name.find('.') == std::string_view::npos) return true;
  return std::find(std::begin(suffixes), std::end(suffixes), name) != std::end(suffixes);
}

}  // namespace egret
