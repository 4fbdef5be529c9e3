"""HTML that escapes what it is given."""

from trailcam_edge.live.pages.markup import Html, join, tag


def test_texts_and_attributes_are_escaped_and_elements_are_not() -> None:
    hostile = "\"><script>alert('x')</script>&"
    made = tag("a", hostile, tag("b", "x"), href=hostile)
    assert "<script" not in made
    assert made == (
        '<a href="&quot;&gt;&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;">'
        "&quot;&gt;&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;<b>x</b></a>"
    )


def test_attributes_without_a_value_and_names_of_python() -> None:
    made = tag("input", required=True, disabled=False, value=None, class_="a", data_key="k", for_="b", min=0)
    assert made == '<input required class="a" data-key="k" for="b" min="0">'


def test_children_may_be_nested_numbers_or_nothing() -> None:
    assert join(["a", None, 7, [tag("br"), ("<", [Html("<hr>")])]]) == "a7<br>&lt;<hr>"
