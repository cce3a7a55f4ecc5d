//! A person's library: documents whose names differ, all of them looked into, and a tenth of them with texts, in an
//! API process with its read models.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aggregates::document::{Inspection, InspectionRefusal};
use aggregates::{Document, DocumentCommand, Name, Personal, Quota, QuotaCommand, UploadId, UserId};
use event_store::EventStore;
use futures::{FutureExt, StreamExt, TryStreamExt};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::backlog::{projected, standing};
use crate::fixture::{self, Server};
use crate::ours::{self, DATABASE, Failed, Ours};
use crate::report::progress;
use crate::seed::AT_ONCE;
use crate::stack::Stack;
use crate::vault::Vault;

const KINDS: [&str; 8] =
    ["Invoice", "Statement", "Contract", "Letter", "Receipt", "Certificate", "Policy", "Report"];
const TOPICS: [&str; 16] = [
    "rent",
    "electricity",
    "insurance",
    "water",
    "taxes",
    "salary",
    "dentist",
    "car",
    "school",
    "travel",
    "pension",
    "telephone",
    "heating",
    "bank",
    "doctor",
    "garden",
];
/// In the name of one document, if there are as many.
pub(crate) const RARE_NUMBER: u32 = 4_213;
/// Of texts.
const VOCABULARY: u32 = 2_000;
const WORDS_OF_A_TEXT: usize = 300;
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Library {
    pub ours: Ours,
    pub vault: Arc<Vault>,
    pub owner: UserId,
    pub documents: Arc<Vec<Uuid>>,
    _stack: Stack,
}

impl Library {
    /// With `count` documents, when every read model has them all.
    pub(crate) async fn open(server: &Server, count: u32) -> anyhow::Result<Self> {
        let ours = ours::open(server, 32).await?;
        let stack = Stack::start(server, &ours).await?;
        let mut vault = Vault::served(&stack).await?;
        let owner: UserId = vault.user_id.parse()?;
        progress(&format!("  {count} documents of one person"));
        let started = Instant::now();
        let documents = futures::stream::iter(0..count)
            .map(|n| document(&ours.store, owner, n))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        progress(&format!("  appended after {:.0} s", started.elapsed().as_secs_f64()));
        let head = ours.store.head().await?;
        let mut names = projected();
        names.extend(["audit_trail", "relay"]);
        while standing(ours.store.pool(), &names).await? < head {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        analyze(server).await?;
        progress(&format!("  in every read model after {:.0} s", started.elapsed().as_secs_f64()));
        vault.sign_in().await?;
        Ok(Self { ours, vault: Arc::new(vault), owner, documents: Arc::new(documents), _stack: stack })
    }
}

/// As autovacuum would within a minute or two.
async fn analyze(server: &Server) -> anyhow::Result<()> {
    let mut admin = PgConnection::connect_with(&server.owner(DATABASE)).await?;
    for projection in projections::all() {
        sqlx::raw_sql(&format!("ANALYZE {}", projection.name())).execute(&mut admin).await?;
    }
    Ok(())
}

async fn document(store: &EventStore, owner: UserId, n: u32) -> anyhow::Result<Uuid> {
    let (id, clock) = (store.clock().new_id(), store.clock());
    let mut request = fixture::request(owner, clock)?;
    let (kind, topic) = (KINDS[n as usize % KINDS.len()], TOPICS[n as usize / KINDS.len() % TOPICS.len()]);
    request.name = Personal::new(owner, Name::parse(&format!("{kind} {topic} {n}.pdf"))?);
    let (upload_id, bytes, now) = (request.upload_id, request.size, clock.now());
    let inspection = if n.is_multiple_of(10) {
        with_text(store, owner, id, upload_id).await?
    } else {
        Inspection::NotInspected { reason: InspectionRefusal::Unsupported }
    };
    let inspect =
        DocumentCommand::RecordInspection { upload_id, content_type: "application/pdf".into(), inspection };
    store
        .execute(ours::context(store, owner), move |unit| {
            let (request, inspect) = (request.clone(), inspect.clone());
            async move {
                let mut document = unit.create::<Document>(id).await?;
                unit.handle(&mut document, DocumentCommand::RequestUpload(request)).await?;
                unit.handle(&mut document, DocumentCommand::CompleteUpload { now }).await?;
                unit.handle(&mut document, inspect).await?;
                let mut quota = unit.load::<Quota>(owner.0).await?;
                unit.handle(&mut quota, QuotaCommand::Reserve { upload_id, bytes }).await?;
                unit.handle(&mut quota, QuotaCommand::Commit { upload_id }).await?;
                Ok::<_, Failed>(())
            }
            .boxed()
        })
        .await?;
    Ok(id)
}

/// Stores a text as the classifier does.
async fn with_text(
    store: &EventStore,
    owner: UserId,
    document: Uuid,
    upload: UploadId,
) -> anyhow::Result<Inspection> {
    let words = std::iter::repeat_with(|| word(zipf())).take(WORDS_OF_A_TEXT);
    let text = words.collect::<Vec<_>>().join(" ");
    sqlx::query("INSERT INTO document_texts VALUES ($1, $2, $3, 'eng', $4, $5)")
        .bind(document)
        .bind(upload.0)
        .bind(owner.0)
        .bind(&text)
        .bind(store.clock().now())
        .execute(store.pool())
        .await?;
    Ok(Inspection::TextExtracted {
        language: "eng".into(),
        characters: text.len() as u64,
        bytes: text.len() as u64,
        key: format!("derived/{owner}/{document}/{upload}"),
    })
}

/// The word of this rank.
pub(crate) fn word(rank: u32) -> String {
    const SYLLABLES: [&str; 10] = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu"];
    let digits = [rank / 1000 % 10, rank / 100 % 10, rank / 10 % 10, rank % 10];
    digits.map(|digit| SYLLABLES[digit as usize]).concat()
}

/// A rank: the twentieth comes half as often as the tenth, as in people's languages.
fn zipf() -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below VOCABULARY")]
    let rank = f64::from(VOCABULARY).powf(rand::random::<f64>()) as u32;
    rank
}
