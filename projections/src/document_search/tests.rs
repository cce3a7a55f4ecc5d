use aggregates::document::Inspection;
use aggregates::{DocumentCommand, DocumentId, UserId};
use sqlx::PgPool;

use super::snippet::Terms;
use super::words::to_words;
use super::*;
use crate::document_listing::{Cursor, DocumentListing, Shelf, Sort};
use crate::fixture::Vault;
use crate::tests::fold;

struct Library {
    vault: Vault,
    owner: UserId,
}

impl Library {
    async fn open(pool: &PgPool) -> Self {
        let vault = Vault::open(pool).await;
        let owner = vault.register("owner@example.org", 1_000_000).await;
        Self { vault, owner }
    }

    /// An uploaded document in which a text was found.
    async fn add(&self, owner: UserId, name: &str, language: &str, text: &str) -> DocumentId {
        let document = self.vault.upload_done(owner, name, 1).await;
        let (state, _) = self.vault.store.load::<aggregates::Document>(&document.to_string()).await.unwrap();
        let upload_id = state.request().unwrap().upload_id;
        sqlx::query("INSERT INTO document_texts VALUES ($1, $2, $3, $4, $5, now())")
            .bind(document.0)
            .bind(upload_id.0)
            .bind(owner.0)
            .bind(language)
            .bind(text)
            .execute(self.vault.pool())
            .await
            .unwrap();
        let inspection = Inspection::TextExtracted {
            language: language.into(),
            characters: 1,
            key: format!("derived/{document}"),
            bytes: 1,
        };
        let content_type = "text/plain".into();
        let command = DocumentCommand::RecordInspection { upload_id, content_type, inspection };
        self.vault.change(owner, document, command).await.unwrap();
        document
    }

    async fn fold(&self) {
        fold(&self.vault, &DocumentListing, usize::MAX).await;
        fold(&self.vault, &DocumentSearch, usize::MAX).await;
    }

    async fn page(&self, q: &str, order: Order, limit: u16) -> FoundPage {
        let words = q.parse().unwrap();
        let query = SearchQuery { owner: self.owner, shelf: Shelf::Active, words, order, limit };
        search(self.vault.pool(), &query).await.unwrap()
    }

    async fn names(&self, q: &str) -> Vec<String> {
        let page = self.page(q, Order::Rank(None), 200).await;
        page.hits.into_iter().map(|hit| hit.row.name).collect()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn words_are_found_in_names_and_texts_whatever_their_form(pool: PgPool) {
    let library = Library::open(&pool).await;
    let owner = library.owner;
    library.add(owner, "Invoice_2024-03.pdf", "eng", "ACME Ltd. invoices you for consulting.").await;
    library.add(owner, "Mietvertrag.docx", "deu", "Die Wohnungen in der Straße kosten 900 € Miete.").await;
    library.add(owner, "Résumé.odt", "fra", "Né à Besançon, il a travaillé à l'hôpital.").await;
    library.add(owner, "Договор.txt", "rus", "МОСКВА, договоры аренды").await;
    library.vault.upload_done(owner, "no text yet.png", 1).await;
    library.fold().await;

    for (q, found) in [
        ("invoice", "Invoice_2024-03.pdf"),
        ("2024", "Invoice_2024-03.pdf"),
        ("consulted", "Invoice_2024-03.pdf"),
        ("acme INVOICE", "Invoice_2024-03.pdf"),
        ("what is an invoice", "Invoice_2024-03.pdf"),
        ("consu", "Invoice_2024-03.pdf"),
        ("Wohnung", "Mietvertrag.docx"),
        ("strasse", "Mietvertrag.docx"),
        ("mietver", "Mietvertrag.docx"),
        ("resume", "Résumé.odt"),
        ("RÉSUMÉ", "Résumé.odt"),
        ("hopital besancon", "Résumé.odt"),
        ("москва", "Договор.txt"),
        ("text png", "no text yet.png"),
    ] {
        assert_eq!(library.names(q).await, [found], "{q}");
    }
    for nothing in ["acme wohnung", "nvoice", "zzz", "invoice zzz"] {
        assert_eq!(library.names(nothing).await, Vec::<String>::new(), "{nothing}");
    }
}

/// Z09
#[sqlx::test(migrations = "../migrations")]
async fn nobody_finds_what_belongs_to_others(pool: PgPool) {
    let library = Library::open(&pool).await;
    let other = library.vault.register("other@example.org", 1_000).await;
    library.add(other, "secret plan.txt", "eng", "a secret plan").await;
    library.fold().await;
    assert_eq!(library.names("secret").await, Vec::<String>::new());
    let order = Order::Sorted(Sort::default(), None);
    assert!(library.page("secret", order, 10).await.hits.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn names_weigh_more_than_texts_and_texts_by_how_often(pool: PgPool) {
    let library = Library::open(&pool).await;
    let owner = library.owner;
    library.add(owner, "often", "eng", "lease lease lease lease").await;
    library.add(owner, "lease", "eng", "something else").await;
    library.add(owner, "once", "eng", "one lease among many other words that are here").await;
    library.fold().await;
    assert_eq!(library.names("lease").await, ["lease", "often", "once"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_are_in_order_and_complete_by_rank_and_by_sort(pool: PgPool) {
    let library = Library::open(&pool).await;
    for number in 0..23 {
        let text = "paper ".repeat(number % 5);
        library.add(library.owner, &format!("paper {number}"), "eng", &text).await;
    }
    library.fold().await;
    let all = library.names("paper").await;
    assert_eq!(all.len(), 23);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = library.page("paper", Order::Rank(after), 5).await;
        paged.extend(page.hits.into_iter().map(|hit| hit.row.name));
        let Some(next) = page.next else { break };
        after = Some(RankCursor::parse(&next).unwrap());
    }
    assert_eq!(paged, all);

    let sort: Sort = "name".parse().unwrap();
    let (mut sorted, mut after) = (Vec::new(), None);
    loop {
        let page = library.page("paper", Order::Sorted(sort, after), 7).await;
        sorted.extend(page.hits.into_iter().map(|hit| hit.row.name));
        let Some(next) = page.next else { break };
        after = Some(Cursor::parse(&next, sort).unwrap());
    }
    let mut expected = all;
    expected.sort();
    assert_eq!(sorted, expected);
}

#[sqlx::test(migrations = "../migrations")]
async fn search_follows_the_life_of_a_document(pool: PgPool) {
    let library = Library::open(&pool).await;
    let (owner, vault) = (library.owner, &library.vault);
    let document = library.add(owner, "old.txt", "eng", "contents").await;
    vault.rename(owner, document, "new.txt").await;
    library.fold().await;
    assert_eq!(library.names("new").await, ["new.txt"]);
    assert_eq!(library.names("contents").await, ["new.txt"]);
    assert_eq!(library.names("old").await, Vec::<String>::new());

    vault.change(owner, document, DocumentCommand::Trash).await.unwrap();
    library.fold().await;
    assert_eq!(library.names("new").await, Vec::<String>::new());
    let words: Words = "new".parse().unwrap();
    let trashed = SearchQuery { owner, shelf: Shelf::Trashed, words, order: Order::Rank(None), limit: 10 };
    assert_eq!(search(&pool, &trashed).await.unwrap().hits.len(), 1);

    vault.change(owner, document, DocumentCommand::Purge).await.unwrap();
    library.fold().await;
    assert!(search(&pool, &trashed).await.unwrap().hits.is_empty());
    let texts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM document_texts").fetch_one(&pool).await.unwrap();
    assert_eq!(texts, 0, "its text goes in the same transaction");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_text_with_more_words_than_a_vector_holds_is_searched_in_its_beginning(pool: PgPool) {
    let library = Library::open(&pool).await;
    let text = (0..150_000).fold(String::new(), |text, number| text + &format!("w{number} "));
    library.add(library.owner, "long.txt", "eng", &text).await;
    library.fold().await;
    assert_eq!(library.names("w0").await, ["long.txt"]);
}

/// Operators, quotes, NUL, right-to-left and other scripts are words or gaps between words, never syntax.
#[sqlx::test(migrations = "../migrations")]
async fn odd_queries_find_or_do_not_but_never_fail(pool: PgPool) {
    let library = Library::open(&pool).await;
    library.add(library.owner, "plain.txt", "eng", "plain words").await;
    library.fold().await;
    for q in [
        "plain & !words | (",
        "'plain",
        "\"plain words\"",
        "plain:*",
        "plain <-> words",
        "\\plain\\",
        "plain\0words",
        "''; DROP TABLE x; --",
        "שלום עולם",
        "\u{202E}plain",
        "日本語",
        "हिन्दी",
        "İstanbul",
        "ﬁne ǆ ŉ",
        "e\u{301}",
        "plain 🎉",
        "1e5 007 -12.5",
        "a",
        "½ ⅷ ² ª",
        "a@b.example https://example.org/?q=1&b",
    ] {
        library.names(q).await;
    }
    assert_eq!(
        library.names("\"plain\" AND-OR 🎉 !words").await,
        ["plain.txt"],
        "stop words need not be there"
    );
    assert_eq!(library.names("\"plain\" sailing 🎉 !words").await, Vec::<String>::new());
    assert_eq!(library.names("\"plain\" 🎉 !words").await, ["plain.txt"]);

    let refused = |q: &str| q.parse::<Words>().unwrap_err();
    for empty in ["", " ", "\0", "🎉", "&|!()", "\u{301}"] {
        assert_eq!(refused(empty), WordsError::Empty, "{empty:?}");
    }
    assert_eq!(refused(&"a".repeat(10_000)), WordsError::TooLong);
    assert_eq!(refused(&"a ".repeat(40)), WordsError::TooLong);
}

#[test]
fn words_have_one_form() {
    for (text, words) in [
        ("Résumé, RÉSUMÉ re\u{301}sume\u{301}", "resume resume resume "),
        ("Straße ŒUVRE Łódź søster", "strasse oeuvre lodz soster "),
        ("scan_2024-03.pdf", "scan 2024 03 pdf "),
        ("ﬁnance İstanbul ISPARTA", "finance istanbul isparta "),
        ("МОСКВА Ёлка", "москва елка "),
        ("हिन्दी", "हिन्दी "),
        ("", ""),
    ] {
        assert_eq!(to_words(text), words);
    }
}

#[test]
fn a_snippet_marks_what_was_found_and_nothing_else_is_markup() {
    let words = ["invoice".to_owned(), "pay".to_owned()];
    let stems = ["invoice".to_owned(), "invoic".to_owned(), "pay".to_owned()];
    let terms = Terms { words: &words, stems: &stems };
    let text = format!(
        "{}\n<script>Invoices</script> are \"paid\" & payable.{}",
        "before ".repeat(40),
        " after".repeat(60)
    );
    let snippet = terms.find_in(&text).unwrap();
    assert!(snippet.starts_with('…') && snippet.ends_with('…'), "{snippet}");
    assert!(
        snippet.contains(
            "before &lt;script&gt;<mark>Invoices</mark>&lt;/script&gt; are &quot;paid&quot; &amp; <mark>payable</mark>."
        ),
        "{snippet}"
    );
    assert!(snippet.len() < 500, "{snippet}");
    assert_eq!(terms.find_in("nothing of it"), None);
    assert_eq!(terms.find_in("ÏNVOICE"), Some("<mark>ÏNVOICE</mark>".into()));
    assert_eq!(terms.begin("just <b>this</b>"), "just &lt;b&gt;this&lt;/b&gt;");
    let endless = "é".repeat(10_000) + " invoice " + &"é".repeat(10_000);
    assert!(terms.find_in(&endless).unwrap().contains("<mark>invoice</mark>"));
}
