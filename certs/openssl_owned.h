// OpenSSL objects with one owner each, and OpenSSL's reasons as a fault.
#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "certs/authority.h"

namespace egret {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

template <class T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;

using BioPtr = Owned<BIO, BIO_free_all>;
using BignumPtr = Owned<BIGNUM, BN_free>;
using Asn1IntegerPtr = Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using Asn1TimePtr = Owned<ASN1_TIME, ASN1_TIME_free>;
using Asn1OctetsPtr = Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using Asn1BitsPtr = Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;
using GeneralNamePtr = Owned<GENERAL_NAME, GENERAL_NAME_free>;
using GeneralNamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

// Parses the extensions now. OpenSSL does it when they are needed first and keeps the result in the
// certificate: that has to be over when threads begin to share it.
void settle(X509* certificate) noexcept;

// `what: <the oldest reason in OpenSSL's queue>`; the queue is empty afterwards.
CertFault openssl_fault(std::string what);

}  // namespace egret
