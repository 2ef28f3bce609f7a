// A test of the compiler: g++ 12 destroys some temporaries of a coroutine twice or not at all. Each
// form that docs/design/coroutines.md allows is here with counted objects, so that a compiler which
// breaks one fails this test (and ASan, where the tests run under it) before it breaks the product.

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/unit/common_async/async_test_util.h"

namespace dragonfly::common::async {
namespace {

int g_alive = 0;

// Counts itself and owns heap memory, so that a bitwise copy shows.
class Counted {
 public:
  explicit Counted(int value) : value_(std::make_unique<int>(value)) { ++g_alive; }
  Counted(const Counted& other) : value_(std::make_unique<int>(*other.value_)) { ++g_alive; }
  Counted(Counted&& other) noexcept : value_(std::move(other.value_)) { ++g_alive; }
  Counted& operator=(const Counted& other) {
    value_ = std::make_unique<int>(*other.value_);
    return *this;
  }
  Counted& operator=(Counted&& other) noexcept = default;
  ~Counted() { --g_alive; }
  int value() const { return *value_; }

 private:
  std::unique_ptr<int> value_;
};

// A class with a constructor: may be passed as a temporary, a braced aggregate may not.
struct Request {
  Request(std::string the_name, Counted the_counted)
      : name(std::move(the_name)), counted(std::move(the_counted)) {}
  std::string name;
  Counted counted;
};

const char* const kLong = "a string that is too long to live inside the string object";

class CoroutineFormsTest : public AsyncTest {
 protected:
  void SetUp() override { g_alive = 0; }
  void TearDown() override { EXPECT_EQ(g_alive, 0); }

  Co<void> Turn() { co_await Turns(scope_, 1); }
  Co<int> Read(Counted counted) {
    co_await Turn();
    co_return counted.value();
  }
  Co<Counted> Make(int value) {
    co_await Turn();
    co_return Counted(value);
  }
  Co<absl::StatusOr<Counted>> MakeOr(int value) {
    co_await Turn();
    if (value < 0) co_return absl::InvalidArgumentError(kLong);
    co_return Counted(value);
  }
  Co<std::string> Name(Request request) {
    co_await Turn();
    co_return request.name + std::to_string(request.counted.value());
  }

  CancelScope scope_{runtime_.executor(0)};
};

TEST_F(CoroutineFormsTest, NamedValuesMovedOrCopiedIntoParameters) {
  Run([this]() -> Co<void> {
    Counted named(1);
    int value = co_await Read(named);
    EXPECT_EQ(value, 1);
    EXPECT_EQ(named.value(), 1);
    value = co_await Read(std::move(named));
    EXPECT_EQ(value, 1);
  });
}

TEST_F(CoroutineFormsTest, TemporariesOfClassesWithAConstructor) {
  Run([this]() -> Co<void> {
    int value = co_await Read(Counted(2));
    EXPECT_EQ(value, 2);
    std::string name = co_await Name(Request(kLong, Counted(3)));
    EXPECT_EQ(name, std::string(kLong) + "3");
  });
}

TEST_F(CoroutineFormsTest, AnAggregateThatHasAName) {
  struct Aggregate {
    std::string text;
    Counted counted;
  };
  Run([this]() -> Co<void> {
    auto take = [](Aggregate aggregate) -> Co<size_t> {
      co_return aggregate.text.size() + static_cast<size_t>(aggregate.counted.value());
    };
    Aggregate aggregate{kLong, Counted(4)};
    size_t sum = co_await take(std::move(aggregate));
    EXPECT_EQ(sum, std::string(kLong).size() + 4);
    co_await Turn();
  });
}

TEST_F(CoroutineFormsTest, StatusOrInTwoStatements) {
  Run([this]() -> Co<void> {
    absl::StatusOr<Counted> good = co_await MakeOr(5);
    EXPECT_TRUE(good.ok());
    EXPECT_EQ(good->value(), 5);
    absl::StatusOr<Counted> bad = co_await MakeOr(-1);
    EXPECT_EQ(bad.status().message(), kLong);
    good = co_await MakeOr(6);
    EXPECT_EQ(good->value(), 6);
  });
}

TEST_F(CoroutineFormsTest, AwaitInConditionsOfIfAndWhileThroughANamedResult) {
  Run([this]() -> Co<void> {
    int left = 3;
    while (left > 0) {
      Counted made = co_await Make(left);
      if (made.value() == 2) {
        int inner = co_await Read(made);
        EXPECT_EQ(inner, 2);
      }
      --left;
    }
    for (int i : {1, 2, 3}) {
      int read = co_await Read(Counted(i));
      EXPECT_EQ(read, i);
    }
  });
}

TEST_F(CoroutineFormsTest, NestedScopesAndEarlyReturnDestroyWhatTheyMade) {
  Run([this]() -> Co<void> {
    auto early = [this](bool leave) -> Co<int> {
      Counted outer(1);
      {
        Counted inner = co_await Make(2);
        if (leave) co_return inner.value();
      }
      co_await Turn();
      co_return outer.value();
    };
    int left = co_await early(true);
    EXPECT_EQ(left, 2);
    int stayed = co_await early(false);
    EXPECT_EQ(stayed, 1);
  });
}

TEST_F(CoroutineFormsTest, ALambdaWithCapturesThatHasANameAndOutlivesItsCoroutine) {
  Run([this]() -> Co<void> {
    Counted captured(7);
    auto lambda = [this, captured]() -> Co<int> {
      co_await Turn();
      co_return captured.value();
    };
    int value = co_await lambda();
    EXPECT_EQ(value, 7);
  });
}

TEST_F(CoroutineFormsTest, ALambdaWithoutCapturesSpawnedWithMovedArguments) {
  Run([this]() -> Co<void> {
    TaskGroup group(executor());
    std::vector<int> seen;
    auto body = [](CancelScope& scope, Counted counted, std::vector<int>& out) -> Co<void> {
      co_await Turns(scope, 1);
      out.push_back(counted.value());
    };
    for (int i = 0; i < 3; ++i) group.Spawn(body(scope_, Counted(i), seen));
    co_await group.Join();
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
  });
}

TEST_F(CoroutineFormsTest, ContainersAndMoveOnlyValuesAsArgumentsAndResults) {
  Run([this]() -> Co<void> {
    auto pass = [this](std::map<std::string, Counted> in,
                       std::unique_ptr<Counted> extra) -> Co<std::map<std::string, Counted>> {
      co_await Turn();
      in.emplace("extra", std::move(*extra));
      co_return in;
    };
    std::map<std::string, Counted> start;
    start.emplace(kLong, Counted(1));
    auto out = co_await pass(std::move(start), std::make_unique<Counted>(2));
    EXPECT_EQ(out.size(), 2u);
    EXPECT_EQ(out.at(kLong).value(), 1);
  });
}

TEST_F(CoroutineFormsTest, StdFunctionThatHoldsACoroutineLambda) {
  Run([this]() -> Co<void> {
    std::function<Co<int>(Counted)> function = [this](Counted counted) -> Co<int> {
      int value = co_await Read(std::move(counted));
      co_return value + 1;
    };
    Counted argument(8);
    int value = co_await function(argument);
    EXPECT_EQ(value, 9);
  });
}

TEST_F(CoroutineFormsTest, ExceptionsUnwindFrames) {
  Run([this]() -> Co<void> {
    auto thrower = [this]() -> Co<void> {
      Counted local(1);
      co_await Turn();
      throw std::string(kLong);
    };
    std::string caught;
    try {
      co_await thrower();
    } catch (const std::string& text) {
      caught = text;
    }
    EXPECT_EQ(caught, kLong);
  });
}

TEST_F(CoroutineFormsTest, ACoroutineThatIsNeverStartedFreesItsArguments) {
  Run([this]() -> Co<void> {
    {
      Co<int> never = Read(Counted(1));
      EXPECT_EQ(g_alive, 1);
    }
    EXPECT_EQ(g_alive, 0);
    co_return;
  });
}

}  // namespace
}  // namespace dragonfly::common::async
