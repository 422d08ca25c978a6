-- known.db as the versions before ledger.db wrote it: ann@example.com and
-- ann+list@example.com on cloud, bob@example.com on legacy, on day 20000.
BEGIN TRANSACTION;
CREATE TABLE known(hash INTEGER PRIMARY KEY, day INT);
INSERT INTO "known" VALUES(-57828544042742995,20000);
INSERT INTO "known" VALUES(2109183311292409810,20000);
INSERT INTO "known" VALUES(4486531640273092814,20000);
COMMIT;
