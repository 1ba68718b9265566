-- A sqlite3 run with more than 200,000 allocation events.
create table t(a integer primary key, b text, c real);
create index i on t(b);
begin;
with recursive n(x) as (select 1 union all select x+1 from n where x<20000) insert into t select x, 'row '||x*7919%10007||hex(x), x*1.5 from n;
commit;
select count(*), sum(length(b)) from t where b like 'row 1%';
select b, count(*) from t group by substr(b,1,6) order by 2 desc limit 5;
update t set b=b||'x' where a%3=0;
delete from t where a%5=0;
select t1.a, t2.b from t t1 join t t2 on t1.b=t2.b where t1.a<t2.a limit 10;
select group_concat(b) from (select b from t order by c desc limit 100);
