-- Read model: how much of their quota people use; sizes in bytes.

CREATE TABLE quota_usage (
    generation    bigint NOT NULL,
    user_id       uuid   NOT NULL,
    quota_limit   bigint NOT NULL,
    used          bigint NOT NULL,
    reserved      bigint NOT NULL,
    -- Active and trashed ones.
    documents     bigint NOT NULL,
    trashed_bytes bigint NOT NULL,
    PRIMARY KEY (generation, user_id)
) PARTITION BY LIST (generation);

SELECT add_projection('quota_usage');
