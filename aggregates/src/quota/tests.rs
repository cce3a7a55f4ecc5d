//! Every command of a quota, open and not; then any sequence of them.

use std::collections::BTreeMap;

use cqrs_es::test::TestFramework;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::DocumentId;

fn upload(number: u128) -> UploadId {
    UploadId(Uuid::from_u128(number))
}

fn document(number: u128) -> DocumentId {
    DocumentId(Uuid::from_u128(number))
}

/// 100 bytes, 30 of them used and 40 reserved for upload 2.
fn open() -> Vec<QuotaEvent> {
    vec![
        QuotaEvent::QuotaOpened { limit: 100 },
        QuotaEvent::SpaceReserved { upload_id: upload(1), bytes: 30 },
        QuotaEvent::SpaceCommitted { upload_id: upload(1), bytes: 30 },
        QuotaEvent::SpaceReserved { upload_id: upload(2), bytes: 40 },
    ]
}

fn check(given: Vec<QuotaEvent>, when: &QuotaCommand, then: &Result<Vec<QuotaEvent>, QuotaError>) {
    let result = TestFramework::<Quota>::with(()).given(given).when(when.clone()).inspect_result();
    assert_eq!(&result, then, "{when:?}");
}

fn fold(events: &[QuotaEvent]) -> Quota {
    events.iter().cloned().fold(Quota::default(), |mut quota, event| {
        quota.apply(event);
        quota
    })
}

#[test]
fn a_quota_is_opened_first() {
    let opened = QuotaEvent::QuotaOpened { limit: 100 };
    check(vec![], &QuotaCommand::Open { limit: 100 }, &Ok(vec![opened]));
    for command in [
        QuotaCommand::ChangeLimit { limit: 100 },
        QuotaCommand::Reserve { upload_id: upload(1), bytes: 1 },
        QuotaCommand::Commit { upload_id: upload(1) },
        QuotaCommand::Release { upload_id: upload(1) },
        QuotaCommand::Free { document_id: document(1), bytes: 0 },
    ] {
        check(vec![], &command, &Err(QuotaError::NotOpen));
    }
}

#[test]
fn every_command_of_an_open_quota() {
    let exceeded = |requested| Err(QuotaError::Exceeded { limit: 100, used: 30, reserved: 40, requested });
    let reserve = |number, bytes| QuotaCommand::Reserve { upload_id: upload(number), bytes };
    let reserved = |number, bytes| Ok(vec![QuotaEvent::SpaceReserved { upload_id: upload(number), bytes }]);
    let free = |bytes| QuotaCommand::Free { document_id: document(7), bytes };
    let freed = |bytes| Ok(vec![QuotaEvent::SpaceFreed { document_id: document(7), bytes }]);
    for (when, then) in [
        (QuotaCommand::Open { limit: 100 }, Err(QuotaError::AlreadyOpen)),
        (QuotaCommand::ChangeLimit { limit: 100 }, Ok(vec![])),
        (QuotaCommand::ChangeLimit { limit: 0 }, Ok(vec![QuotaEvent::LimitChanged { limit: 0 }])),
        (QuotaCommand::ChangeLimit { limit: 200 }, Ok(vec![QuotaEvent::LimitChanged { limit: 200 }])),
        (reserve(3, 30), reserved(3, 30)),
        (reserve(3, 0), reserved(3, 0)),
        (reserve(3, 31), exceeded(31)),
        (reserve(3, u64::MAX), exceeded(u64::MAX)),
        (reserve(2, 40), Ok(vec![])),
        (
            QuotaCommand::Commit { upload_id: upload(2) },
            Ok(vec![QuotaEvent::SpaceCommitted { upload_id: upload(2), bytes: 40 }]),
        ),
        (QuotaCommand::Commit { upload_id: upload(1) }, Ok(vec![])),
        (
            QuotaCommand::Release { upload_id: upload(2) },
            Ok(vec![QuotaEvent::SpaceReleased { upload_id: upload(2), bytes: 40 }]),
        ),
        (QuotaCommand::Release { upload_id: upload(1) }, Ok(vec![])),
        (free(30), freed(30)),
        (free(0), freed(0)),
        (free(31), Err(QuotaError::FreesMoreThanUsed { used: 30, bytes: 31 })),
    ] {
        check(open(), &when, &then);
    }
}

#[test]
fn figures_follow_the_events() {
    let figures = |quota: &Quota| (quota.limit(), quota.used(), quota.reserved());
    assert_eq!(figures(&Quota::default()), (0, 0, 0));
    assert_eq!(figures(&fold(&open())), (100, 30, 40));
    let mut events = open();
    events.push(QuotaEvent::LimitChanged { limit: 50 });
    assert_eq!(figures(&fold(&events)), (50, 30, 40));
    events.push(QuotaEvent::SpaceReleased { upload_id: upload(2), bytes: 40 });
    events.push(QuotaEvent::SpaceFreed { document_id: document(7), bytes: 10 });
    assert_eq!(figures(&fold(&events)), (50, 20, 0));
}

#[test]
fn a_limit_lowered_below_use_refuses_only_reservations() {
    let mut given = open();
    given.push(QuotaEvent::LimitChanged { limit: 10 });
    let refused = QuotaError::Exceeded { limit: 10, used: 30, reserved: 40, requested: 0 };
    check(given.clone(), &QuotaCommand::Reserve { upload_id: upload(3), bytes: 0 }, &Err(refused));
    let committed = QuotaEvent::SpaceCommitted { upload_id: upload(2), bytes: 40 };
    check(given, &QuotaCommand::Commit { upload_id: upload(2) }, &Ok(vec![committed]));
}

#[test]
fn a_forged_history_does_not_overflow_the_figures() {
    let quota = fold(&[
        QuotaEvent::SpaceReserved { upload_id: upload(1), bytes: u64::MAX },
        QuotaEvent::SpaceReserved { upload_id: upload(2), bytes: 1 },
        QuotaEvent::SpaceFreed { document_id: document(7), bytes: 1 },
    ]);
    assert_eq!((quota.used(), quota.reserved()), (0, u64::MAX));
}

fn any_command() -> impl Strategy<Value = QuotaCommand> {
    let bytes = || prop_oneof![9 => 0..50_u64, 1 => any::<u64>()];
    let upload_id = || (0..6_u128).prop_map(upload);
    prop_oneof![
        1 => (0..200_u64).prop_map(|limit| QuotaCommand::Open { limit }),
        1 => (0..200_u64).prop_map(|limit| QuotaCommand::ChangeLimit { limit }),
        4 => (upload_id(), bytes()).prop_map(|(upload_id, bytes)| QuotaCommand::Reserve { upload_id, bytes }),
        3 => upload_id().prop_map(|upload_id| QuotaCommand::Commit { upload_id }),
        2 => upload_id().prop_map(|upload_id| QuotaCommand::Release { upload_id }),
        2 => bytes().prop_map(|bytes| QuotaCommand::Free { document_id: document(7), bytes }),
    ]
}

/// The figures of `quota` as a reader of the events would sum them up, without folds that saturate.
fn sums(events: &[QuotaEvent]) -> (i128, BTreeMap<UploadId, i128>) {
    let (mut used, mut reserved) = (0, BTreeMap::new());
    for event in events {
        match *event {
            QuotaEvent::QuotaOpened { .. } | QuotaEvent::LimitChanged { .. } => {}
            QuotaEvent::SpaceReserved { upload_id, bytes } => {
                *reserved.entry(upload_id).or_default() += i128::from(bytes);
            }
            QuotaEvent::SpaceCommitted { upload_id, bytes } => {
                used += i128::from(bytes);
                *reserved.entry(upload_id).or_default() -= i128::from(bytes);
            }
            QuotaEvent::SpaceReleased { upload_id, bytes } => {
                *reserved.entry(upload_id).or_default() -= i128::from(bytes);
            }
            QuotaEvent::SpaceFreed { bytes, .. } => used -= i128::from(bytes),
        }
    }
    (used, reserved)
}

/// Of each upload, reservations and settlements alternate.
fn settled_once(events: &[QuotaEvent]) -> bool {
    let mut reserved = std::collections::BTreeSet::new();
    events.iter().all(|event| match event {
        QuotaEvent::SpaceReserved { upload_id, .. } => reserved.insert(*upload_id),
        QuotaEvent::SpaceCommitted { upload_id, .. } | QuotaEvent::SpaceReleased { upload_id, .. } => {
            reserved.remove(upload_id)
        }
        _ => true,
    })
}

proptest! {
    #[test]
    fn any_history_keeps_the_limit(commands in prop::collection::vec(any_command(), 0..60)) {
        let (mut quota, mut history) = (Quota::default(), vec![]);
        for command in commands {
            let before = quota.clone();
            let Ok(events) = quota.decide(&command) else { continue };
            events.iter().cloned().for_each(|event| quota.apply(event));
            history.extend(events);

            let taken = |quota: &Quota| quota.used() + quota.reserved();
            prop_assert!(
                taken(&quota) <= quota.limit() || taken(&quota) <= taken(&before),
                "above the limit nothing grows: {:?}", command
            );
            if let QuotaCommand::Commit { upload_id } | QuotaCommand::Release { upload_id } = command {
                prop_assert_eq!(quota.decide(&QuotaCommand::Commit { upload_id }), Ok(vec![]));
                prop_assert_eq!(quota.decide(&QuotaCommand::Release { upload_id }), Ok(vec![]));
            }
        }
        let (used, reserved) = sums(&history);
        prop_assert!(used >= 0 && reserved.values().all(|bytes| *bytes >= 0));
        prop_assert_eq!(i128::from(quota.used()), used);
        prop_assert_eq!(i128::from(quota.reserved()), reserved.values().sum::<i128>());
        prop_assert!(settled_once(&history));
        prop_assert_eq!(quota, fold(&history));
    }
}
