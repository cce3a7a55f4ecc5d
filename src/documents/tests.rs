use aggregates::{DocumentId, UploadId, UserId};
use proptest::prelude::*;
use uuid::Uuid;

use super::{SINGLE_PUT_AT_MOST, keys, part_size, parts};

proptest! {
    #[test]
    fn parts_make_up_the_whole(size in SINGLE_PUT_AT_MOST + 1..=5 << 40) {
        let part_size = part_size(size);
        prop_assert!(((8 << 20)..=5 << 30).contains(&part_size));
        let parts: Vec<_> = parts(size, part_size).collect();
        prop_assert!(parts.len() <= 1_024);
        prop_assert_eq!(parts.iter().map(|part| part.size).sum::<u64>(), size);
        prop_assert!(parts.iter().map(|part| part.number).eq(1..=u16::try_from(parts.len()).unwrap()));
        prop_assert!(parts.iter().rev().skip(1).all(|part| part.size == part_size));
    }
}

#[test]
fn a_final_or_derived_key_leads_to_its_document_and_nothing_else_does() {
    let (owner, document) = (UserId(Uuid::from_u128(1)), DocumentId(Uuid::from_u128(2)));
    let key = keys::of_object(owner, document, Uuid::from_u128(3), ".pdf");
    assert_eq!(keys::document_of(&key), Some(document));
    assert!(!keys::is_staging(&key));

    let derived = keys::derived(owner, document, UploadId(Uuid::from_u128(4)));
    assert_eq!((keys::document_of(&derived), keys::is_derived(&derived)), (Some(document), true));
    assert!(!keys::is_derived(&key) && !keys::is_staging(&derived));

    let staged = keys::staging(owner, document, UploadId(Uuid::from_u128(4)));
    assert!(keys::is_staging(&staged));
    assert_eq!(keys::document_of(&staged), None);
    for foreign in ["backup.tar", "a/b/c", &format!("{key}/more"), &format!("{owner}/{document}")] {
        assert_eq!(keys::document_of(foreign), None, "{foreign}");
    }
}
