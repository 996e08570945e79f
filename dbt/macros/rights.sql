{#-
  On PostgreSQL a model is made beside its former self, which then gives way to it. Who was given rights to that one has
  them to this one, in the same transaction: no reader is refused in between, and no run that is killed loses them.
-#}
{% macro rights_of_the_former() %}
{%- if target.type == 'postgres' and model.resource_type == 'model' -%}
do $$
declare
    held record;
begin
    for held in
        select
            privilege_type,
            is_grantable,
            case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as whose
        from pg_class as former
        cross join lateral aclexplode(former.relacl)
        where former.oid = to_regclass('{{ make_backup_relation(this, "table").include(database=false) }}')
            and grantee <> former.relowner
    loop
        execute format(
            'grant %s on %s to %s%s',
            held.privilege_type,
            '{{ this.include(database=false) }}',
            held.whose,
            case when held.is_grantable then ' with grant option' else '' end
        );
    end loop;
end
$$
{%- endif -%}
{% endmacro %}
