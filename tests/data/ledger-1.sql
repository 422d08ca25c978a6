-- ledger.db of format 1 as its last version wrote it: ann@example.com on cloud
-- (message 1), bob@example.com on legacy (2), on day 20000.
BEGIN TRANSACTION;
CREATE TABLE delivery(recipient INT, leg INT, detail INT, time INT, id INT, uncertain INT, PRIMARY KEY(recipient, leg, detail)) WITHOUT ROWID;
INSERT INTO "delivery" VALUES(-3295541129512669778,1,0,1728000000000007,2,1);
INSERT INTO "delivery" VALUES(-1065802184870700739,0,0,1728000000000007,1,0);
CREATE TABLE known(hash INTEGER PRIMARY KEY, day INT);
CREATE TABLE leg(number INTEGER PRIMARY KEY, name TEXT);
INSERT INTO "leg" VALUES(0,'cloud');
INSERT INTO "leg" VALUES(1,'legacy');
CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), format INT, secret BLOB, spool INT, generation INT, offset INT, since INT, refill INT, hole INT, deliveries INT);
INSERT INTO "state" VALUES(1,1,X'C0AC73221D06AC86ABB3A41CAA58E1C2',7,3,8192,1728000000000007,-9223372036854775808,0,2);
COMMIT;
