"""What each field of a certificate is for, in plain words, with the section that defines it.

Keyed by the end of a field's path: the more of a path a key names, the sooner it is chosen. The words say
what a field proves, who checks it and what goes wrong when it is off. Only words live here; nothing is
decoded, and decoding never asks for words.
"""

from __future__ import annotations

from ..spans import UNEXPLAINED, Explanation

ROOT = "Certificate"


def explain(path: tuple[str, ...]) -> Explanation:
    """Return what the field at `path` is for; () explains the certificate itself.

    Shape: `path` holds the field names, outermost first; the root's own name in front is allowed.
    """
    names = path[1:] if path[:1] == (ROOT,) else path
    keys = (".".join(names[start:]) for start in range(len(names)))
    row = next((EXPLANATIONS[key] for key in keys if key in EXPLANATIONS), None) if names else WHOLE
    return Explanation(*row) if row else _of_a_part(names)


def _of_a_part(names: tuple[str, ...]) -> Explanation:
    """Explain a part that every element has, or the one element inside an extension, by what holds it."""
    *above, last = names
    owner = above[-1] if above else ROOT
    if last in PARTS:
        text, source = PARTS[last]
        return Explanation(text.format(owner=owner), source)
    if last == "contents" and above:
        return explain(tuple(above))
    return explain(tuple(above[:-1])) if owner == "extnValue" and len(above) > 1 else UNEXPLAINED


WHOLE = (
    "A statement by a CA: this name belongs to the holder of this public key, between these dates, for these "
    "uses. It is public; holding it proves nothing, holding the private key does.",
    "RFC 5280 §4.1",
)

PARTS: dict[str, tuple[str, str]] = {
    "tag": ("Says what kind of value {owner} is, before its length and its contents.", "X.690 §8.1.2"),
    "length": ("How many bytes of {owner} follow.", "X.690 §8.1.3"),
    "vector_length": ("How many bytes of {owner} follow, written as TLS does: two bytes, no tag.", "RFC 8446 §3.4"),
    "unusedBits": (
        "A BIT STRING counts bits, its bytes come in eights: so many bits at the end of {owner} do not count.",
        "X.690 §8.6.2",
    ),
    "element": (
        "A value inside {owner} whose meaning depends on who wrote it; its tag says which type it has.",
        "X.690 §8.1",
    ),
    "undecoded": (
        "Bytes that are not what {owner} should hold. A library that needs them refuses the certificate.",
        "X.690 §8.1",
    ),
}
"""Parts found in many elements; {owner} is the name of the field around them."""

OUTSIDE: dict[str, tuple[str, str]] = {
    "tbsCertificate": (
        "Everything the CA signs. Change one byte of it and the signature no longer matches, so nothing in here "
        "can be altered on the way.",
        "RFC 5280 §4.1.1.1",
    ),
    "signatureAlgorithm": (
        "How the CA signed. It must repeat the signature field inside; a difference means that somebody "
        "swapped this copy, which the signature does not cover.",
        "RFC 5280 §4.1.1.2",
    ),
    "signatureValue": (
        "The CA's signature over tbsCertificate. Whoever is shown the certificate checks it with the issuer's "
        "public key; on a root, which everybody has already, it adds nothing.",
        "RFC 5280 §4.1.1.3",
    ),
    "version": (
        "Which edition of X.509 this is. v3 brought extensions, and every certificate of today is v3; absent "
        "means v1, which many libraries no longer take.",
        "RFC 5280 §4.1.2.1",
    ),
    "Version": ("The version, counted from 0: the number 2 is v3.", "RFC 5280 §4.1.2.1"),
    "serialNumber": (
        "The CA's number for this certificate, different for each it issues. Revocation lists and OCSP name a "
        "certificate by it; public CAs make at least 64 of its bits random, so that nobody can prepare a collision.",
        "RFC 5280 §4.1.2.2",
    ),
    "tbsCertificate.signature": (
        "How the CA signed, stated where the signature itself protects it. A verifier compares it with "
        "signatureAlgorithm outside.",
        "RFC 5280 §4.1.2.3",
    ),
    "issuer": (
        "The CA that signed. A verifier looks for a CA certificate with exactly this subject; a client picks its "
        "certificate by comparing this with the names in CertificateRequest.",
        "RFC 5280 §4.1.2.4",
    ),
    "validity": (
        "From when until when the CA vouches. Outside of it the other side answers certificate_expired, which a "
        "wrong clock causes as well as an old certificate.",
        "RFC 5280 §4.1.2.5",
    ),
    "notBefore": (
        "The first moment the certificate counts. Fresh certificates are often dated back a little, because "
        "clocks differ.",
        "RFC 5280 §4.1.2.5",
    ),
    "notAfter": (
        "The last moment the certificate counts, to the second. The date 9999-12-31 means: no expiry is known.",
        "RFC 5280 §4.1.2.5",
    ),
    "subject": (
        "Whose key this is. For a client it is the name servers write rules and logs about; for a host the names "
        "in subjectAltName count instead.",
        "RFC 5280 §4.1.2.6",
    ),
    "issuerUniqueID": ("Told two CAs of one name apart. Nobody should write it any more.", "RFC 5280 §4.1.2.8"),
    "subjectUniqueID": ("Told two subjects of one name apart. Nobody should write it any more.", "RFC 5280 §4.1.2.8"),
    "extensions": (
        "What version 3 adds: which names, which uses, whether this is a CA, where to ask about revocation.",
        "RFC 5280 §4.1.2.9",
    ),
    "Extensions": ("The list of extensions; each may occur once.", "RFC 5280 §4.1.2.9"),
}
"""The certificate's frame."""

NAMES: dict[str, tuple[str, str]] = {
    "RelativeDistinguishedName": (
        "One step of the name, from the most general (a country) to the most specific (a person or a machine).",
        "RFC 5280 §4.1.2.4",
    ),
    "nameRelativeToCRLIssuer": (
        "Where the list is, as a name below the one who issues it: a directory entry. Hardly used.",
        "RFC 5280 §4.2.1.13",
    ),
    "AttributeTypeAndValue": (
        "One attribute of the name, such as CN=client-7. Its text was chosen by whoever asked for the certificate.",
        "RFC 5280 §4.1.2.4",
    ),
    "AttributeTypeAndValue.type": (
        "Which attribute this is: CN a common name, O an organization, OU a unit, C a country.",
        "RFC 5280 §A.1",
    ),
    "AttributeTypeAndValue.value": (
        "The attribute's text. The same text as UTF8String and as PrintableString are different bytes: software "
        "that compares bytes then finds no issuer.",
        "RFC 5280 §4.1.2.4",
    ),
    "dNSName": (
        "A host name, in which a leading * stands for one label. A client compares the host it called with these "
        "and gives up if none fits.",
        "RFC 5280 §4.2.1.6",
    ),
    "rfc822Name": ("A mail address: common in the certificates of people.", "RFC 5280 §4.2.1.6"),
    "iPAddress": (
        "An address as bytes: 4 for IPv4, 16 for IPv6. Who connects to an address needs it here; a dNSName with "
        "the same digits does not count.",
        "RFC 5280 §4.2.1.6",
    ),
    "uniformResourceIdentifier": (
        "A URI. Workloads carry their identity here (spiffe://…), which servers compare as a whole.",
        "RFC 5280 §4.2.1.6",
    ),
    "directoryName": ("A distinguished name.", "RFC 5280 §4.2.1.6"),
    "Name": ("The distinguished name itself: a choice of types keeps its own tag.", "RFC 5280 §4.1.2.4"),
    "registeredID": ("An object identifier as a name. Rare.", "RFC 5280 §4.2.1.6"),
    "otherName": ("A name of a kind that others define, such as a Windows login.", "RFC 5280 §4.2.1.6"),
    "type-id": ("Which kind of name follows.", "RFC 5280 §4.2.1.6"),
    "otherName.value": ("The name, in the form its kind demands.", "RFC 5280 §4.2.1.6"),
    "x400Address": ("An address of X.400 mail, which is history.", "RFC 5280 §4.2.1.6"),
    "ediPartyName": ("A partner in electronic data interchange. Not seen in TLS.", "RFC 5280 §4.2.1.6"),
}
"""Distinguished names and general names."""

KEYS: dict[str, tuple[str, str]] = {
    "subjectPublicKeyInfo": (
        "The public key this certificate is about. In a handshake its owner signs with the private half, and the "
        "other side checks that with this.",
        "RFC 5280 §4.1.2.7",
    ),
    "algorithm": (
        "The algorithm's registered number. Which signature a key can make follows from it: a server that "
        "accepts none of them gets no certificate.",
        "RFC 5280 §4.1.1.2",
    ),
    "subjectPublicKeyInfo.algorithm": (
        "What kind of key follows, and on which curve or with which limits.",
        "RFC 5280 §4.1.2.7",
    ),
    "parameters": (
        "What the algorithm needs to know besides: NULL for RSA, nothing for ECDSA signatures and Ed25519. A "
        "missing or surplus NULL has made verifiers refuse.",
        "RFC 5280 §4.1.1.2",
    ),
    "subjectPublicKeyInfo.algorithm.parameters": (
        "For an elliptic curve key, the curve, by name: TLS demands one it knows. For RSA, NULL.",
        "RFC 5480 §2.1.1",
    ),
    "subjectPublicKey": ("The key itself, in the form its algorithm prescribes.", "RFC 5280 §4.1.2.7"),
    "RSAPublicKey": ("An RSA key: two numbers.", "RFC 8017 §A.1.1"),
    "modulus": (
        'The product of two secret primes; "RSA 2048" tells its length. Under 2048 bits most servers refuse it.',
        "RFC 8017 §3.1",
    ),
    "publicExponent": ("The exponent for checking, nearly always 65537.", "RFC 8017 §3.1"),
    "form": (
        "How the point on the curve is written: 04 means both coordinates, 02 and 03 only x.",
        "RFC 5480 §2.2",
    ),
    "x": ("The point's first coordinate.", "RFC 5480 §2.2"),
    "y": ("The point's second coordinate.", "RFC 5480 §2.2"),
    "publicKey": ("The key as the plain bytes its algorithm defines.", "RFC 8410 §4"),
    "DSAPublicKey": ("A DSA key: one number. TLS has given DSA up.", "RFC 3279 §2.3.2"),
    "p": ("The large prime that DSA counts by.", "RFC 3279 §2.3.2"),
    "q": ("The small prime: the order of the group in which DSA signs.", "RFC 3279 §2.3.2"),
    "g": ("The number whose powers make the group.", "RFC 3279 §2.3.2"),
    "hashAlgorithm": ("The hash of an RSASSA-PSS signature; absent means SHA-1.", "RFC 4055 §3.1"),
    "maskGenAlgorithm": ("How RSASSA-PSS stretches a hash into a mask.", "RFC 4055 §3.1"),
    "saltLength": (
        "How many random bytes go into an RSASSA-PSS signature; TLS wants the hash's size.",
        "RFC 4055 §3.1",
    ),
    "trailerField": ("A byte at the end that is always the same.", "RFC 4055 §3.1"),
    "AlgorithmIdentifier": ("The algorithm and its parameters.", "RFC 5280 §4.1.1.2"),
    "hashAlgorithm.AlgorithmIdentifier": ("The hash and its parameters.", "RFC 4055 §2.1"),
    "INTEGER": ("The number itself, inside the tag that tells the fields apart.", "RFC 4055 §3.1"),
    "signatureValue.signature": (
        "The signature as plain bytes: for RSA one number as long as the modulus.",
        "RFC 8017 §8",
    ),
    "Ecdsa-Sig-Value": ("An ECDSA signature: two numbers, so its length varies by a byte or two.", "RFC 3279 §2.2.3"),
    "Dss-Sig-Value": ("A DSA signature: two numbers.", "RFC 3279 §2.2.2"),
    "r": (
        "The first half: made of a random number used once. Using it twice gives the private key away.",
        "RFC 3279 §2.2.3",
    ),
    "s": ("The second half: ties the hash, the random number and the private key together.", "RFC 3279 §2.2.3"),
    "R": ("The first half of an EdDSA signature: a point.", "RFC 8032 §5.1.6"),
    "S": ("The second half of an EdDSA signature: a number.", "RFC 8032 §5.1.6"),
}
"""Algorithms, public keys, signatures."""

EXTENSION: dict[str, tuple[str, str]] = {
    "extnID": ("Which extension this is, as a registered number.", "RFC 5280 §4.2"),
    "critical": (
        "TRUE: who does not understand this extension must refuse the certificate. Absent means FALSE: skip it "
        "if unknown.",
        "RFC 5280 §4.2",
    ),
    "extnValue": ("The extension's contents, wrapped in bytes so that software can step over them.", "RFC 5280 §4.2"),
    "unknownExtension": (
        "An extension without a name here. Whoever does not know it skips it, unless it is critical.",
        "RFC 5280 §4.2",
    ),
    "subjectAltName": (
        "The names this certificate is good for. Clients compare the host they called with these alone; a name "
        "that stands only in the subject fails in every modern client.",
        "RFC 5280 §4.2.1.6",
    ),
    "issuerAltName": ("Other names of the CA. Nothing in TLS reads them.", "RFC 5280 §4.2.1.7"),
    "basicConstraints": (
        "Whether the subject is a CA. Without this check any holder of a certificate could issue others.",
        "RFC 5280 §4.2.1.9",
    ),
    "cA": ("TRUE for a CA. FALSE is the default, which DER leaves out.", "RFC 5280 §4.2.1.9"),
    "pathLenConstraint": (
        "How many CAs may stand between this one and the last certificate of a chain. One too many and the chain "
        "is refused.",
        "RFC 5280 §4.2.1.9",
    ),
    "keyUsage": (
        "What the key may do at all. A certificate that signs handshakes needs digitalSignature, a CA keyCertSign; "
        "the other side checks.",
        "RFC 5280 §4.2.1.3",
    ),
    "extKeyUsage": (
        "For which purposes the certificate is good. A server that checks wants clientAuth in a client's; with "
        "serverAuth alone it answers unsupported_certificate.",
        "RFC 5280 §4.2.1.12",
    ),
    "KeyPurposeId": ("One purpose: clientAuth for TLS clients, serverAuth for TLS servers.", "RFC 5280 §4.2.1.12"),
    "subjectKeyIdentifier": (
        "A short name for the key, usually a hash of it. The certificates this subject issues point to it.",
        "RFC 5280 §4.2.1.2",
    ),
    "authorityKeyIdentifier": (
        "Which of the issuer's keys signed: where a CA has several certificates, it tells which one to try. It "
        "is a signpost, the proof is the signature.",
        "RFC 5280 §4.2.1.1",
    ),
    "keyIdentifier": ("The subjectKeyIdentifier of the issuer's certificate.", "RFC 5280 §4.2.1.1"),
    "authorityCertIssuer": (
        "The issuer of the issuer's certificate. It ties the chain to one certificate of the CA, and breaks when "
        "the CA renews it.",
        "RFC 5280 §4.2.1.1",
    ),
    "authorityCertSerialNumber": ("The serial number of the issuer's certificate.", "RFC 5280 §4.2.1.1"),
    "privateKeyUsagePeriod": (
        "How long the private key may sign, where that is shorter than the certificate's life. Dropped from "
        "today's profile; passports use it.",
        "RFC 3280 §4.2.1.4",
    ),
    "PrivateKeyUsagePeriod.notBefore": ("The first moment the private key may sign.", "RFC 3280 §4.2.1.4"),
    "PrivateKeyUsagePeriod.notAfter": ("The last moment the private key may sign.", "RFC 3280 §4.2.1.4"),
    "subjectDirectoryAttributes": ("Facts about the subject, such as a date of birth. Rare.", "RFC 5280 §4.2.1.8"),
    "Attribute": ("One fact: its kind and its values.", "RFC 5280 §4.2.1.8"),
    "Attribute.type": ("Which fact this is.", "RFC 5280 §4.2.1.8"),
    "Attribute.values": ("The values of the fact.", "RFC 5280 §4.2.1.8"),
}
"""What each extension has, and those about the subject and its key."""

WHERE_TO_ASK: dict[str, tuple[str, str]] = {
    "authorityInfoAccess": (
        "Where to ask whether the certificate is revoked (OCSP), and where to fetch the issuer's certificate "
        "when the other side forgot to send it. Most TLS libraries fetch nothing.",
        "RFC 5280 §4.2.2.1",
    ),
    "subjectInfoAccess": ("Where to find what the subject offers, such as a CA's repository.", "RFC 5280 §4.2.2.2"),
    "AccessDescription": ("One thing to get and where.", "RFC 5280 §4.2.2.1"),
    "accessMethod": (
        "What is there: ocsp answers about revocation, caIssuers is the issuer's certificate.",
        "RFC 5280 §4.2.2.1",
    ),
    "accessLocation": (
        "Where it is, nearly always an http:// address: the answer carries its own signature.",
        "RFC 5280 §4.2.2.1",
    ),
    "cRLDistributionPoints": (
        "Where the list of revoked certificates is. A server that checks revocation must have the list at hand, "
        "or refuses, or waives it: that is its policy.",
        "RFC 5280 §4.2.1.13",
    ),
    "freshestCRL": ("Where the changes since the last full revocation list are.", "RFC 5280 §4.2.1.15"),
    "DistributionPoint": ("One place with a revocation list.", "RFC 5280 §4.2.1.13"),
    "distributionPoint": ("Where the list is.", "RFC 5280 §4.2.1.13"),
    "fullName": ("The place's full name, usually one URL.", "RFC 5280 §4.2.1.13"),
    "fullName.uniformResourceIdentifier": ("The URL to fetch the revocation list from.", "RFC 5280 §4.2.1.13"),
    "reasons": ("Which reasons for revocation this list covers; absent means all.", "RFC 5280 §4.2.1.13"),
    "cRLIssuer": ("Who signs the list, when that is not the certificate's issuer.", "RFC 5280 §4.2.1.13"),
    "ocspNoCheck": (
        "This OCSP responder's own certificate need not be checked for revocation: else asking would never end.",
        "RFC 6960 §4.2.2.2.1",
    ),
    "tlsFeature": (
        'TLS extensions the server promises. With status_request ("must-staple") a client refuses a server that '
        "does not bring a fresh OCSP answer along.",
        "RFC 7633 §4",
    ),
    "Feature": ("The number of a TLS extension: 5 is status_request.", "RFC 7633 §4.1"),
}
"""Revocation, and where the issuer is found."""

POLICY: dict[str, tuple[str, str]] = {
    "certificatePolicies": (
        "Under which rules the CA issued: how closely it looked at the subject. Some servers demand a policy.",
        "RFC 5280 §4.2.1.4",
    ),
    "PolicyInformation": ("One policy and where to read about it.", "RFC 5280 §4.2.1.4"),
    "policyIdentifier": ("The policy's registered number.", "RFC 5280 §4.2.1.4"),
    "policyQualifiers": ("Remarks for people; software checks none of them.", "RFC 5280 §4.2.1.4"),
    "PolicyQualifierInfo": ("One remark: a link or a notice.", "RFC 5280 §4.2.1.4"),
    "policyQualifierId": ("Whether a link (CPS) or a notice follows.", "RFC 5280 §4.2.1.4"),
    "qualifier": ("The link to the CA's practice statement, or the notice.", "RFC 5280 §4.2.1.4"),
    "noticeRef": ("Points to a numbered notice of an organization.", "RFC 5280 §4.2.1.4"),
    "organization": ("Whose notice it is.", "RFC 5280 §4.2.1.4"),
    "noticeNumbers": ("Which notices of that organization apply.", "RFC 5280 §4.2.1.4"),
    "noticeNumber": ("One notice.", "RFC 5280 §4.2.1.4"),
    "explicitText": ("The notice, up to 200 characters.", "RFC 5280 §4.2.1.4"),
    "policyMappings": ("Which policies of one CA count as which of another.", "RFC 5280 §4.2.1.5"),
    "PolicyMapping": ("One pair of equal policies.", "RFC 5280 §4.2.1.5"),
    "issuerDomainPolicy": ("The policy as the issuer calls it.", "RFC 5280 §4.2.1.5"),
    "subjectDomainPolicy": ("The policy as the subject CA calls it.", "RFC 5280 §4.2.1.5"),
    "policyConstraints": ("Demands on the policies of the certificates below this CA.", "RFC 5280 §4.2.1.11"),
    "requireExplicitPolicy": (
        "After so many certificates every one must name an accepted policy.",
        "RFC 5280 §4.2.1.11",
    ),
    "inhibitPolicyMapping": ("After so many certificates policies are no longer mapped.", "RFC 5280 §4.2.1.11"),
    "inhibitAnyPolicy": ('After so many certificates "any policy" no longer counts.', "RFC 5280 §4.2.1.14"),
    "nameConstraints": (
        "Which names this CA may certify. A chain with a name outside of them is refused, however good the "
        "signatures: so a company's CA cannot speak for others.",
        "RFC 5280 §4.2.1.10",
    ),
    "permittedSubtrees": ("Only names within these count, for each kind of name listed.", "RFC 5280 §4.2.1.10"),
    "excludedSubtrees": ("Names within these never count, even if permitted.", "RFC 5280 §4.2.1.10"),
    "GeneralSubtree": ("One part of the name space.", "RFC 5280 §4.2.1.10"),
    "base": ("Where the part begins: a domain with all below it, or an address and its mask.", "RFC 5280 §4.2.1.10"),
    "minimum": ("Always 0, and then left out.", "RFC 5280 §4.2.1.10"),
    "maximum": ("Never used.", "RFC 5280 §4.2.1.10"),
}
"""Policies and constraints on the certificates below."""

OTHERS: dict[str, tuple[str, str]] = {
    "signedCertificateTimestampList": (
        "Receipts of public logs that saw this certificate. Browsers refuse a public server's certificate without "
        "them; private CAs and client certificates have none.",
        "RFC 6962 §3.3",
    ),
    "SerializedSCT": ("One log's receipt.", "RFC 6962 §3.3"),
    "sct_version": ("Which form the receipt has.", "RFC 6962 §3.2"),
    "opaque_sct": ("A receipt of a form that is not known here.", "RFC 6962 §3.3"),
    "log_id": ("Which log: the SHA-256 of its public key.", "RFC 6962 §3.2"),
    "timestamp": ("When the log saw the certificate, in milliseconds since 1970.", "RFC 6962 §3.2"),
    "SerializedSCT.extensions": ("Room for more, empty so far.", "RFC 6962 §3.2"),
    "SerializedSCT.extensions.data": ("More from the log.", "RFC 6962 §3.2"),
    "SerializedSCT.signature": (
        "The log's signature over the time and the certificate: it can be held to it.",
        "RFC 6962 §3.2",
    ),
    "hash": ("The hash under the log's signature.", "RFC 5246 §7.4.1.4.1"),
    "signature_algorithm": ("The kind of the log's signature.", "RFC 5246 §7.4.1.4.1"),
    "SerializedSCT.signature.data": ("The log's signature as plain bytes.", "RFC 5246 §4.7"),
    "precertificatePoison": (
        "Makes this unusable on purpose: it is the draft that a CA shows to a log before the certificate exists.",
        "RFC 6962 §3.1",
    ),
    "qcStatements": ("Statements of a qualified certificate under European law.", "RFC 3739 §3.2.6"),
    "netscapeCertType": (
        "What keyUsage and extKeyUsage say today, in Netscape's way. OpenSSL still heeds it: sslClient must be "
        "set for a client.",
        "RFC 5280 §4.2",
    ),
    "netscapeComment": ("A remark, often from the software that made the certificate.", "RFC 5280 §4.2"),
    "enrollCertType": ("The name of the Windows template that this certificate was made from.", "RFC 5280 §4.2"),
    "cAVersion": ("How often a Windows CA renewed its certificate and its key.", "RFC 5280 §4.2"),
    "certificateTemplate": ("The Windows template that this certificate was made from.", "RFC 5280 §4.2"),
    "templateID": ("The template's number.", "RFC 5280 §4.2"),
    "templateMajorVersion": ("The template's version.", "RFC 5280 §4.2"),
    "templateMinorVersion": ("The smaller changes since that version.", "RFC 5280 §4.2"),
}
"""Transparency, and makers' own extensions."""

EXPLANATIONS: dict[str, tuple[str, str]] = {
    **OUTSIDE,
    **NAMES,
    **KEYS,
    **EXTENSION,
    **WHERE_TO_ASK,
    **POLICY,
    **OTHERS,
}
"""The end of a field's path → its words and their source."""
