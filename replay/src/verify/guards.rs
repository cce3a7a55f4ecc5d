//! Whether what keeps the log append-only is in force: owners, rights and triggers. Nothing in the rows tells that
//! somebody has opened the way to change them.

use sqlx::PgPool;

use super::Report;

const MIGRATION: &str = include_str!("../../../migrations/0001_log.sql");

/// Triggers by name and `tgtype`: 27 is before each row of UPDATE and DELETE, 34 before a statement TRUNCATE.
pub(super) async fn check(pool: &PgPool, report: &mut Report) -> Result<(), sqlx::Error> {
    let problems = sqlx::query_scalar!(
        r#"SELECT problem AS "problem!" FROM (
             SELECT format('the trigger `%s` does not guard the table `events` as it was made to', guard.name) AS problem
             FROM (VALUES ('append_only', 27), ('never_truncated', 34)) guard(name, kind)
             WHERE NOT EXISTS (
                 SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE t.tgrelid = 'public.events'::regclass AND t.tgname = guard.name AND t.tgtype = guard.kind
                   AND t.tgenabled = 'A' AND t.tgqual IS NULL AND t.tgattr = ''::int2vector AND p.prosrc = $1)
             UNION ALL
             SELECT format('the table `%s` belongs to %s, not to docuvault_log', t.relname, t.relowner::regrole)
             FROM pg_class t
             WHERE t.oid IN ('public.events'::regclass, 'public.log_gate'::regclass)
               AND t.relowner::regrole::text <> 'docuvault_log'
             UNION ALL
             SELECT format('%s may %s the table `%s`', CASE grantee WHEN 0 THEN 'everybody' ELSE grantee::regrole::text END,
                           privilege_type, relname)
             FROM (SELECT relname, relowner, acl.* FROM pg_class, aclexplode(relacl) acl
                   WHERE oid IN ('public.events'::regclass, 'public.log_gate'::regclass)
                   UNION ALL
                   SELECT relname, relowner, acl.* FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid, aclexplode(attacl) acl
                   WHERE t.oid = 'public.events'::regclass) granted
             WHERE grantee <> relowner AND NOT (relname = 'events' AND privilege_type = 'SELECT')
             UNION ALL
             SELECT 'the role docuvault_app can act as docuvault_log' FROM pg_roles app, pg_roles log
             WHERE app.rolname = 'docuvault_app' AND log.rolname = 'docuvault_log' AND pg_has_role(app.oid, log.oid, 'MEMBER')
           ) found"#,
        refusal()
    );
    for problem in problems.fetch_all(pool).await? {
        report.found(None, problem);
    }
    Ok(())
}

/// The body of the triggers' function, as the migration made it.
fn refusal() -> &'static str {
    let after = MIGRATION.split_once("FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$");
    after.and_then(|(_, rest)| rest.split("$$").next()).unwrap_or_default()
}
