#include <span>

#include "config/config.h"
#include "config/schema/hosts.h"

namespace egret {
namespace {

// Where the clients that read these variables send them. Hosts are named one by one: a secret goes
// nowhere else. Container registries (ghcr.io) are not among them: they hand out tokens of their
// own, which a host with a grant would refuse. `places`: as in `in:`, divided by spaces.
struct WellKnown {
  std::string_view name;
  std::string_view hosts;
  std::string_view places = "header";
};

constexpr std::string_view github =
    "api.github.com github.com uploads.github.com codeload.github.com raw.githubusercontent.com "
    "npm.pkg.github.com maven.pkg.github.com";
constexpr std::string_view gitlab = "gitlab.com";
constexpr std::string_view google_ai = "generativelanguage.googleapis.com";
constexpr std::string_view hugging_face = "huggingface.co router.huggingface.co";
constexpr std::string_view pypi_upload = "upload.pypi.org";

constexpr WellKnown table[] = {
    {"ANTHROPIC_API_KEY", "api.anthropic.com"},
    {"ANTHROPIC_AUTH_TOKEN", "api.anthropic.com"},
    {"CLAUDE_CODE_OAUTH_TOKEN", "api.anthropic.com"},
    {"OPENAI_API_KEY", "api.openai.com"},
    {"GEMINI_API_KEY", google_ai, "header query:key"},
    {"GOOGLE_API_KEY", google_ai, "header query:key"},
    {"MISTRAL_API_KEY", "api.mistral.ai codestral.mistral.ai"},
    {"GROQ_API_KEY", "api.groq.com"},
    {"OPENROUTER_API_KEY", "openrouter.ai"},
    {"DEEPSEEK_API_KEY", "api.deepseek.com"},
    {"XAI_API_KEY", "api.x.ai"},
    {"COHERE_API_KEY", "api.cohere.com api.cohere.ai"},
    {"CO_API_KEY", "api.cohere.com api.cohere.ai"},
    {"TOGETHER_API_KEY", "api.together.xyz api.together.ai"},
    {"FIREWORKS_API_KEY", "api.fireworks.ai"},
    {"CEREBRAS_API_KEY", "api.cerebras.ai"},
    {"PERPLEXITY_API_KEY", "api.perplexity.ai"},
    {"REPLICATE_API_TOKEN", "api.replicate.com"},
    {"HF_TOKEN", hugging_face},
    {"HUGGING_FACE_HUB_TOKEN", hugging_face},
    {"GITHUB_TOKEN", github},
    {"GH_TOKEN", github},
    {"GITLAB_TOKEN", gitlab},
    {"NPM_TOKEN", "registry.npmjs.org"},
    {"NODE_AUTH_TOKEN", "registry.npmjs.org"},
    {"PYPI_TOKEN", pypi_upload},
    {"PYPI_API_TOKEN", pypi_upload},
    {"TWINE_PASSWORD", pypi_upload},
    {"UV_PUBLISH_TOKEN", pypi_upload},
    {"CARGO_REGISTRY_TOKEN", "crates.io"},
    {"CLOUDFLARE_API_TOKEN", "api.cloudflare.com"},
    {"DIGITALOCEAN_TOKEN", "api.digitalocean.com"},
    {"VERCEL_TOKEN", "api.vercel.com"},
    {"LINEAR_API_KEY", "api.linear.app"},
    {"SLACK_BOT_TOKEN", "slack.com"},
    {"STRIPE_API_KEY", "api.stripe.com"},
};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    words.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return words;
}

}  // namespace

std::optional<SecretConfig> well_known_secret(std::string_view name) {
  for (const WellKnown& known : table) {
    if (known.name != name) continue;
    SecretConfig secret{.name = std::string(name),
                        .from = SecretSourceEnv{std::string(name)},
                        .hosts = {},
                        .in = {},
                        .foreign = Foreign::refuse,
                        .source = "well known"};
    for (const std::string_view host : words_of(known.hosts)) {
      if (auto pattern = schema::parse_host(host, schema::HostUse::secret)) {
        secret.hosts.push_back(std::move(*pattern));
      }
    }
    for (const std::string_view text : words_of(known.places)) {
      if (auto place = Place::parse(text)) secret.in.push_back(std::move(*place));
    }
    return secret;
  }
  return std::nullopt;
}

std::vector<std::string> well_known_secret_names() {
  std::vector<std::string> names;
  for (const WellKnown& known : table)
    names.emplace_back(known.name);
  return names;
}

}  // namespace egret
