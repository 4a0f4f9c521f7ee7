from tendred.config.load import load
from tendred.config.show import rows


def test_every_setting_with_its_value_and_where_it_comes_from(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[plugins.settings."my.plugin"]\n"deep.key" = 1\nplain = 2\n')
    found = {
        key: (value, origin)
        for key, value, origin in rows(load(["rpc.port=5"], {"TENDRED_LOG_LEVEL": "debug"}, [file]))
    }
    assert found["rpc.port"] == (5, "-o")
    assert found["log.level"] == ("debug", "TENDRED_LOG_LEVEL")
    assert found["queue.limit"] == (100_000, "default")
    assert found["plugins.settings.my.plugin.deep.key"] == (1, f"{file}:2")
    assert found["plugins.settings.my.plugin.plain"] == (2, f"{file}:3")
