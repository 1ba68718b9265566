#!/usr/bin/env bash
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need sqlite3
cat >sql <<'SQL'
pragma journal_mode = wal;
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
insert into t select i, printf('%d-%s', i * 7919 % 60000, hex(i * i)), i / 3.0 from n;
create index tb on t(b);
select count(*), sum(length(b)), round(sum(c), 3) from t;
select substr(b, 1, 2), count(*) from t group by 1 order by 2 desc, 1 limit 5;
create virtual table f using fts5(x);
insert into f select b || ' ' || a from t limit 5000;
select count(*) from f where x match '4*';
update t set b = b || b where a % 3 = 0;
delete from t where a % 5 = 0;
vacuum;
select count(*), sum(length(b)) from t;
pragma integrity_check;
SQL
same sqlite3 data.db ".read $work/sql"
