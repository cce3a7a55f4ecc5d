-- Read model: how much of their quota people use; sizes in bytes.

CREATE TABLE quota_usage (
    user_id       uuid   PRIMARY KEY,
    quota_limit   bigint NOT NULL,
    used          bigint NOT NULL,
    reserved      bigint NOT NULL,
    -- Active and trashed ones.
    documents     bigint NOT NULL,
    trashed_bytes bigint NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON quota_usage TO docuvault_app;
