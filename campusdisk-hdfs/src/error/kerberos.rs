//! What the system's library for Kerberos says, and what servers say to a ticket.

use campusdisk_core::ErrorKind;

const NO_TICKET: &str = "there is no Kerberos ticket that is still good: set principal and keytab, or run kinit as the user of this \
                         process (KRB5CCNAME)";
const NO_KEY: &str = "the keytab has no keys of the principal (principal, keytab; klist -k lists them)";
const STALE_KEY: &str = "the KDC does not take the keys of the keytab: newer ones were made since (keytab)";
const NOBODY: &str = "the KDC does not know the principal, or no more (principal)";
const NO_SERVER: &str = "the KDC does not know the server of the cluster by its name \
                         (dfs.namenode.kerberos.principal, krb5.conf)";
const NO_KDC: &str = "the KDC can't be reached (krb5.conf, KRB5_CONFIG)";
const NO_REALM: &str = "it is not said where the realm's KDC is (principal, krb5.conf, KRB5_CONFIG)";
const CLOCKS: &str = "the clocks of this machine, the KDC and the cluster differ by more than Kerberos allows, 5 minutes \
                      mostly: set them (NTP)";
const NO_LIBRARY: &str =
    "the system's library for Kerberos is missing (libgssapi-krb5-2 of Debian, krb5-libs of Red Hat)";
const NOT_ACCEPTED: &str = "the cluster does not accept who we are (principal, keytab, user)";

/// How the client library tells that it could not load the system's.
const NOT_LOADED: &str = "Failed to load libgssapi";

/// Codes of MIT's library, by its `krb5.h`. Its texts may be translated.
const CODES: [(i32, ErrorKind, &str); 15] = [
    (-1_765_328_383, ErrorKind::Denied, NOBODY),
    (-1_765_328_378, ErrorKind::Denied, NOBODY),
    (-1_765_328_377, ErrorKind::Denied, NO_SERVER),
    (-1_765_328_366, ErrorKind::Denied, NOBODY),
    (-1_765_328_360, ErrorKind::Denied, STALE_KEY),
    (-1_765_328_353, ErrorKind::Denied, STALE_KEY),
    (-1_765_328_352, ErrorKind::Denied, NO_TICKET),
    (-1_765_328_347, ErrorKind::Denied, CLOCKS),
    (-1_765_328_243, ErrorKind::Denied, NO_TICKET),
    (-1_765_328_236, ErrorKind::Denied, CLOCKS),
    (-1_765_328_230, ErrorKind::Unavailable, NO_REALM),
    (-1_765_328_228, ErrorKind::Unavailable, NO_KDC),
    (-1_765_328_203, ErrorKind::Denied, NO_KEY),
    // Where a keytab has nothing for the principal, the cache is looked for that would hold its ticket.
    (-1_765_328_189, ErrorKind::Denied, NO_KEY),
    (39_756_037, ErrorKind::Denied, NO_KEY),
];

/// Java classes of servers that take no ticket, without their packages.
const CLASSES: [&str; 2] = ["SaslException", "GSSException"];

/// What a code of the system's library means.
pub(super) fn classify_code(minor: u32) -> (ErrorKind, &'static str) {
    let code = minor.cast_signed();
    let known = CODES.iter().find(|(known, ..)| *known == code);
    known.map_or(not_accepted(), |(_, kind, says)| (*kind, says))
}

/// What it means that the client library could not do something, if it is about Kerberos.
pub(super) fn classify_undone(text: &str) -> Option<(ErrorKind, &'static str)> {
    text.starts_with(NOT_LOADED)
        .then_some((ErrorKind::Internal, NO_LIBRARY))
}

/// What the refusal of a server means, if it is about who we are.
pub(super) fn classify_refusal(class: &str, text: &str) -> Option<(ErrorKind, &'static str)> {
    if text.contains("Clock skew too great") {
        return Some((ErrorKind::Denied, CLOCKS));
    }
    CLASSES.contains(&class).then(not_accepted)
}

/// What it means that no side had a way to show who it is that the other takes.
pub(super) fn not_accepted() -> (ErrorKind, &'static str) {
    (ErrorKind::Denied, NOT_ACCEPTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the library of MIT 1.20 gave them, each for the mistake that its sentence tells.
    #[test]
    fn every_code_has_its_kind_and_names_what_to_look_at() {
        let table = [
            (2_529_639_053, ErrorKind::Denied, "kinit"),
            (2_529_639_107, ErrorKind::Denied, "no keys of the principal"),
            (2_529_638_943, ErrorKind::Denied, "newer ones"),
            (2_529_638_936, ErrorKind::Denied, "newer ones"),
            (2_529_638_918, ErrorKind::Denied, "does not know the principal"),
            (2_529_638_919, ErrorKind::Denied, "server of the cluster"),
            (2_529_639_068, ErrorKind::Unavailable, "KDC can't be reached"),
            (2_529_639_066, ErrorKind::Unavailable, "KRB5_CONFIG"),
            (2_529_638_949, ErrorKind::Denied, "clocks"),
            (0, ErrorKind::Denied, "who we are"),
        ];
        for (minor, kind, word) in table {
            let (found, says) = classify_code(minor);
            assert_eq!(found, kind, "{minor}: {says}");
            assert!(says.contains(word), "{minor}: {says}");
        }
    }

    #[test]
    fn a_library_that_is_missing_is_named_with_its_package() {
        let (kind, says) = classify_undone("Failed to load libgssapi_krb").unwrap();
        assert_eq!(kind, ErrorKind::Internal);
        assert!(says.contains("libgssapi-krb5-2"), "{says}");
        assert_eq!(classify_undone("The file was not closed"), None);
    }

    #[test]
    fn a_refusal_of_who_we_are_says_what_to_set() {
        let table = [
            (
                "SaslException",
                "GSS initiate failed [Caused by GSSException: Failure (Mechanism level: Clock skew too great (37))]",
                "clocks",
            ),
            ("SaslException", "GSS initiate failed", "principal"),
        ];
        for (class, text, word) in table {
            let (kind, says) = classify_refusal(class, text).unwrap();
            assert_eq!(kind, ErrorKind::Denied, "{text}");
            assert!(says.contains(word), "{text}: {says}");
        }
        assert_eq!(
            classify_refusal("AccessControlException", "Permission denied: user=a"),
            None
        );
    }
}
