from tests.besitos.conftest import *
def test_x(house):
    house.sandbox.besitos.rows=[]
    r=house.run("2026-01-01","2026-01-02")
    print(r)
    print(house.query("select * from besitos.conversions"), house.query("select table_name from information_schema.tables"))
