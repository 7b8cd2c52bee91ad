#include "certs/profile.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/rand.h>

#include "certs/openssl_owned.h"
#include "policy/target/address.h"

namespace egret {
namespace {

using TimePoint = std::chrono::system_clock::time_point;
using Bytes = std::vector<unsigned char>;

constexpr std::size_t serial_bytes = 16;

Bytes address_bytes(const IpAddress& address) {
  const auto& all = address.bytes();
  return Bytes(all.begin(), all.begin() + (address.is_v4() ? 4 : 16));
}

// RFC 5280 4.2.1.10: the address, then the mask.
Bytes range_bytes(const Cidr& range) {
  Bytes bytes = address_bytes(range.base());
  const std::size_t size = bytes.size();
  for (std::size_t i = 0; i < size; ++i) {
    const int bits = std::clamp(range.prefix_bits() - static_cast<int>(i * 8), 0, 8);
    const int mask = (0xff << (8 - bits)) & 0xff;
    bytes[i] = static_cast<unsigned char>(bytes[i] & mask);
    bytes.push_back(static_cast<unsigned char>(mask));
  }
  return bytes;
}

GeneralNamePtr dns_name(std::string_view text) {
  GeneralNamePtr name{GENERAL_NAME_new()};
  Owned<ASN1_IA5STRING, ASN1_IA5STRING_free> value{ASN1_IA5STRING_new()};
  if (!name || !value) return nullptr;
  if (ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) return nullptr;
  GENERAL_NAME_set0_value(name.get(), GEN_DNS, value.release());
  return name;
}

GeneralNamePtr address_name(const Bytes& bytes) {
  GeneralNamePtr name{GENERAL_NAME_new()};
  Asn1OctetsPtr value{ASN1_OCTET_STRING_new()};
  if (!name || !value) return nullptr;
  if (ASN1_OCTET_STRING_set(value.get(), bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return nullptr;
  }
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value.release());
  return name;
}

bool append_subtree(STACK_OF(GENERAL_SUBTREE) * &list, GeneralNamePtr name) {
  if (list == nullptr) list = sk_GENERAL_SUBTREE_new_null();
  Owned<GENERAL_SUBTREE, GENERAL_SUBTREE_free> subtree{GENERAL_SUBTREE_new()};
  if (list == nullptr || !subtree || !name) return false;
  GENERAL_NAME_free(subtree->base);
  subtree->base = name.release();
  if (sk_GENERAL_SUBTREE_push(list, subtree.get()) <= 0) return false;
  subtree.release();
  return true;
}

bool add_extension(X509* certificate, int nid, void* value, Critical critical) {
  return X509_add1_ext_i2d(certificate, nid, value, critical == Critical::yes ? 1 : 0,
                           X509V3_ADD_DEFAULT) == 1;
}

// Adds one permitted name; tells which kind it was.
enum class NameKind { none, dns, address };
NameKind permit(NAME_CONSTRAINTS* constraints, std::string_view text) {
  if (const auto range = Cidr::parse(text)) {
    const bool added =
        append_subtree(constraints->permittedSubtrees, address_name(range_bytes(*range)));
    return added ? NameKind::address : NameKind::none;
  }
  if (text.starts_with("*.")) text.remove_prefix(2);
  const auto host = Host::parse(text);
  if (!host) return NameKind::none;
  const bool added = append_subtree(
      constraints->permittedSubtrees,
      host->is_address()
          ? address_name(range_bytes(Cidr{*host->address(), host->address()->is_v4() ? 32 : 128}))
          : dns_name(host->text()));
  if (!added) return NameKind::none;
  return host->is_address() ? NameKind::address : NameKind::dns;
}

}  // namespace

PkeyPtr generate_p256() {
  return PkeyPtr{EVP_EC_gen("P-256")};
}

bool set_random_serial(X509* certificate) {
  std::array<unsigned char, serial_bytes> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) return false;
  random.back() |= 1;
  const BignumPtr number{BN_bin2bn(random.data(), static_cast<int>(random.size()), nullptr)};
  if (!number) return false;
  const Asn1IntegerPtr serial{BN_to_ASN1_INTEGER(number.get(), nullptr)};
  return serial && X509_set_serialNumber(certificate, serial.get()) == 1;
}

bool set_validity(X509* certificate, TimePoint from, TimePoint until) {
  const Asn1TimePtr begin{ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(from))};
  const Asn1TimePtr end{ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(until))};
  return begin && end && X509_set1_notBefore(certificate, begin.get()) == 1 &&
         X509_set1_notAfter(certificate, end.get()) == 1;
}

bool add_to_name(X509_NAME* name, const char* field, std::string_view text) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool add_basic_constraints(X509* certificate, bool authority) {
  const Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> constraints{BASIC_CONSTRAINTS_new()};
  if (!constraints) return false;
  constraints->ca = authority ? 0xff : 0;
  if (authority) {
    constraints->pathlen = ASN1_INTEGER_new();  // zero
    if (constraints->pathlen == nullptr) return false;
  }
  return add_extension(certificate, NID_basic_constraints, constraints.get(), Critical::yes);
}

bool add_key_usage(X509* certificate, unsigned bits) {
  const Asn1BitsPtr usage{ASN1_BIT_STRING_new()};
  if (!usage) return false;
  // KU_* number the bits of the first octet from the right, ASN.1 from the left.
  for (int i = 0; i < 8; ++i) {
    if ((bits & (0x80U >> i)) != 0 && ASN1_BIT_STRING_set_bit(usage.get(), i, 1) != 1) return false;
  }
  return add_extension(certificate, NID_key_usage, usage.get(), Critical::yes);
}

bool add_server_usage(X509* certificate) {
  const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> usages{EXTENDED_KEY_USAGE_new()};
  ASN1_OBJECT* server = OBJ_nid2obj(NID_server_auth);  // static
  if (!usages || sk_ASN1_OBJECT_push(usages.get(), server) <= 0) return false;
  return add_extension(certificate, NID_ext_key_usage, usages.get(), Critical::no);
}

bool add_subject_key_id(X509* certificate) {
  // RFC 7093 method 1: the leftmost 160 bits of the SHA-256 of the public key.
  const ASN1_BIT_STRING* key = X509_get0_pubkey_bitstr(certificate);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (key == nullptr || EVP_Digest(key->data, static_cast<std::size_t>(key->length), digest.data(),
                                   nullptr, EVP_sha256(), nullptr) != 1) {
    return false;
  }
  const Asn1OctetsPtr id{ASN1_OCTET_STRING_new()};
  return id && ASN1_OCTET_STRING_set(id.get(), digest.data(), 20) == 1 &&
         add_extension(certificate, NID_subject_key_identifier, id.get(), Critical::no);
}

bool add_authority_key_id(X509* certificate, const X509* issuer) {
  const Asn1OctetsPtr issuer_id{static_cast<ASN1_OCTET_STRING*>(
      X509_get_ext_d2i(issuer, NID_subject_key_identifier, nullptr, nullptr))};
  const Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free> id{AUTHORITY_KEYID_new()};
  if (!issuer_id || !id) return false;
  id->keyid = ASN1_OCTET_STRING_dup(issuer_id.get());
  return id->keyid != nullptr &&
         add_extension(certificate, NID_authority_key_identifier, id.get(), Critical::no);
}

bool add_alternative_name(X509* certificate, const Host& host, Critical critical) {
  const GeneralNamesPtr names{GENERAL_NAMES_new()};
  GeneralNamePtr name =
      host.is_address() ? address_name(address_bytes(*host.address())) : dns_name(host.text());
  if (!names || !name || sk_GENERAL_NAME_push(names.get(), name.get()) <= 0) return false;
  name.release();
  return add_extension(certificate, NID_subject_alt_name, names.get(), critical);
}

bool add_name_constraints(X509* certificate, const std::vector<std::string>& permitted_names) {
  const Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free> constraints{NAME_CONSTRAINTS_new()};
  if (!constraints) return false;
  bool any_dns = false;
  bool any_address = false;
  for (const std::string& text : permitted_names) {
    const NameKind kind = permit(constraints.get(), text);
    if (kind == NameKind::none) return false;
    any_dns = any_dns || kind == NameKind::dns;
    any_address = any_address || kind == NameKind::address;
  }
  // A kind of name that is not mentioned would not be constrained at all.
  auto& excluded = constraints->excludedSubtrees;
  if (!any_dns && !append_subtree(excluded, dns_name(""))) return false;
  if (!any_address && !(append_subtree(excluded, address_name(Bytes(8, 0))) &&
                        append_subtree(excluded, address_name(Bytes(32, 0))))) {
    return false;
  }
  return add_extension(certificate, NID_name_constraints, constraints.get(), Critical::yes);
}

TimePoint end_of(const X509* certificate) {
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&time));
}

}  // namespace egret
