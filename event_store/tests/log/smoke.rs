//! The way of a first day: somebody registers, gets a quota, announces an upload, and reads it back.

use aggregates::document::Stage;
use aggregates::{Document, Event, Quota, QuotaEvent, UserEvent};
use sqlx::PgPool;

use crate::vault::{self, MIB};

#[sqlx::test(migrations = "../migrations")]
async fn what_is_written_is_read_back(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 10 * MIB).await;
    let requested = vault::request_upload(&store, user, MIB).await.unwrap();
    assert_eq!(requested.position, Some(4));

    for reader in [store.clone(), vault::store(&admin).await] {
        let (document, sequence) = reader.load::<Document>(&requested.value.to_string()).await.unwrap();
        assert_eq!((document.stage(), sequence), (Stage::Pending, 1));
        let name = document.request().unwrap().name.open().unwrap();
        assert_eq!(name.as_str(), "canary tax return.pdf");
        let (quota, _) = reader.load::<Quota>(&user.to_string()).await.unwrap();
        assert_eq!((quota.reserved(), quota.used()), (MIB, 0));

        let log = reader.read(0, 100).await.unwrap();
        assert_eq!(log.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let Event::User(UserEvent::UserRegistered { email, .. }) = &log[0].event else {
            panic!("{:?}", log[0])
        };
        assert_eq!(email.open(), Some(&vault::email(user)));
        assert_eq!(log[1].event, Event::Quota(QuotaEvent::QuotaOpened { limit: 10 * MIB }));
        assert_eq!((log[2].part.index, log[2].part.of, log[3].part.index), (1, 2, 2));
    }
    vault::assert_dense(&admin).await;
}
