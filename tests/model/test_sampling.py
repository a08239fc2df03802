import pytest
import torch

from eyehand.errors import UsageError
from eyehand.model.inference.sampling import Greedy, Sampler, Sampling

LOGITS = torch.tensor([0.0, 3.0, 2.0, -1.0, 2.9])


def draws(sampling: Sampling, count: int = 400) -> list[int]:
    sampler = Sampler(sampling)
    return [sampler.choose(LOGITS) for _ in range(count)]


def test_greedy_takes_the_best_token() -> None:
    assert set(draws(Greedy(), 5)) == {1}


def test_same_seed_draws_the_same_tokens() -> None:
    assert draws(Sampling(seed=3)) == draws(Sampling(seed=3))
    assert draws(Sampling(seed=3)) != draws(Sampling(seed=4))


def test_global_random_state_does_not_matter() -> None:
    first = draws(Sampling(seed=3))
    torch.manual_seed(99)
    assert draws(Sampling(seed=3)) == first


def test_frequencies_follow_the_softmax() -> None:
    found = torch.bincount(torch.tensor(draws(Sampling(), 4000)), minlength=5) / 4000
    assert torch.allclose(found, LOGITS.softmax(-1), atol=0.03)


def test_low_temperature_sharpens() -> None:
    assert draws(Sampling(temperature=0.3)).count(1) > draws(Sampling(temperature=1.0)).count(1)


def test_top_k_keeps_the_best_tokens() -> None:
    assert set(draws(Sampling(top_k=2))) == {1, 4}
    assert set(draws(Sampling(top_k=1))) == {1}
    assert set(draws(Sampling(top_k=99, temperature=5.0))) == {0, 1, 2, 3, 4}


def test_top_p_keeps_the_tokens_that_reach_the_share() -> None:
    first, second = LOGITS.softmax(-1)[[1, 4]].tolist()
    assert set(draws(Sampling(top_p=first - 0.01))) == {1}
    assert set(draws(Sampling(top_p=first + 0.01))) == {1, 4}
    assert set(draws(Sampling(top_p=first + second + 0.01))) == {1, 2, 4}


def test_repetition_penalty_prefers_tokens_that_did_not_occur() -> None:
    sampler = Sampler(Greedy(repetition_penalty=1.2))
    assert sampler.choose(LOGITS, torch.zeros(len(LOGITS), dtype=torch.bool)) == 1
    assert sampler.choose(LOGITS, torch.arange(len(LOGITS)) == 1) == 4
    seen = torch.tensor([True, False])
    assert Sampler(Greedy(1.2)).choose(torch.tensor([-1.0, -1.1]), seen) == 1


def test_forbidden_tokens_are_never_drawn() -> None:
    logits = LOGITS.masked_fill(torch.tensor([True, True, False, True, True]), -torch.inf)
    assert Sampler(Sampling(temperature=9.0, top_p=0.5, top_k=3)).choose(logits) == 2


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5},
     {"repetition_penalty": 0.0}],
)  # fmt: skip
def test_impossible_rules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Sampling(**wrong)  # type: ignore[arg-type]
