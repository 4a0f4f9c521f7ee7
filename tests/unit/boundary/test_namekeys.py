from tendred.boundary.namekeys import key, skeleton


def test_a_key_is_of_the_name_and_nothing_else() -> None:
    assert key("ostrela vance") == key("ostrela vance") != key("ostrela vanc")
    assert 0 <= key("") < 1 << 64


def test_transliterations_have_their_consonants_in_common() -> None:
    assert skeleton("mikhail gorbachev") == skeleton("mikhayil gorbachyov")
    assert skeleton("ostrela vance") != skeleton("ostrela dance")
