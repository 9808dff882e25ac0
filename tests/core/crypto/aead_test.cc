// SPDX-License-Identifier: MIT
#include "core/crypto/aead.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "support/fixed_random.h"
#include "support/hex.h"

namespace pairport::testing {
namespace {

using Buffer = std::vector<std::uint8_t>;

struct Box {
  Box(Bytes key_bytes, Bytes nonce_bytes) {
    std::copy(key_bytes.begin(), key_bytes.end(), key.writable().begin());
    std::copy(nonce_bytes.begin(), nonce_bytes.end(), nonce.begin());
  }
  Buffer seal(Bytes associated, Bytes plain) const {
    Buffer sealed(plain.size() + kSealOverhead, 0x5a);
    EXPECT_TRUE(pairport::seal(key, nonce, associated, plain, sealed));
    return sealed;
  }
  // The plain text, or "refused", and then the output holds zeros only.
  std::string open(Bytes associated, Bytes sealed) const {
    Buffer plain(sealed.size() - std::min(sealed.size(), kSealOverhead), 0x5a);
    const Opened opened = pairport::open(key, nonce, associated, sealed, plain);
    if (opened == Opened::kYes) return {plain.begin(), plain.end()};
    EXPECT_EQ(opened, Opened::kNotAuthentic);
    EXPECT_EQ(plain, Buffer(plain.size())) << "what was not authentic is wiped";
    return "refused";
  }

  SecretKey key;
  Nonce nonce;
};

TEST(Aead, IsThatOfRfc8439Section282) {
  const Box box(counting(0x80, 32), from_hex("070000004041424344454647"));
  const Buffer associated = from_hex("50515253c0c1c2c3c4c5c6c7");
  constexpr std::string_view kPlain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
      "it.";
  const Buffer sealed = box.seal(associated, bytes_of(kPlain));
  EXPECT_EQ(to_hex(sealed),
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
            "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
            "3ff4def08e4b7a9de576d26586cec64b6116"
            "1ae10b594f09e26a7e902ecbd0600691");
  EXPECT_EQ(box.open(associated, sealed), kPlain);
}

TEST(Aead, IsThatOfRfc8439AppendixA5) {
  const Box box(from_hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"),
                from_hex("000000000102030405060708"));
  const Buffer sealed = from_hex(
      "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0"
      "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
      "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9"
      "9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
      "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130"
      "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b"
      "eead9d67890cbb22392336fea1851f38");
  EXPECT_EQ(box.open(from_hex("f33388860000000000004e91"), sealed),
            "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or "
            "obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference "
            "material or to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d");
}

class Sealed : public ::testing::Test {
 protected:
  const Box box_{counting(1, 32), counting(50, 12)};
  const std::string associated_ = "version and name";
  const std::string plain_ = "a value that takes more than the 64 bytes of a block of the stream, and so two of them";
  const Buffer sealed_ = box_.seal(bytes_of(associated_), bytes_of(plain_));

  std::string open(Bytes sealed) const { return box_.open(bytes_of(associated_), sealed); }
};

TEST_F(Sealed, IsOpenedByTheSameOnly) {
  EXPECT_EQ(open(sealed_), plain_);
  EXPECT_EQ(std::search(sealed_.begin(), sealed_.end(), plain_.begin(), plain_.begin() + 4), sealed_.end());
}

TEST_F(Sealed, EveryFlippedBitOfCiphertextAndTagIsRefused) {
  for (std::size_t bit = 0; bit < sealed_.size() * 8; ++bit) {
    Buffer changed = sealed_;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(open(changed), "refused") << "bit " << bit;
  }
}

TEST_F(Sealed, EveryFlippedBitOfTheAssociatedDataIsRefused) {
  for (std::size_t bit = 0; bit < associated_.size() * 8; ++bit) {
    std::string changed = associated_;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    EXPECT_EQ(box_.open(bytes_of(changed), sealed_), "refused") << "bit " << bit;
  }
  EXPECT_EQ(box_.open({}, sealed_), "refused");
  EXPECT_EQ(box_.open(bytes_of(associated_ + '\0'), sealed_), "refused") << "no padding takes the place of a byte";
}

TEST_F(Sealed, EveryFlippedBitOfNonceAndKeyIsRefused) {
  for (std::size_t bit = 0; bit < sizeof(Nonce) * 8; ++bit) {
    Box other(counting(1, 32), counting(50, 12));
    other.nonce[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(other.open(bytes_of(associated_), sealed_), "refused") << "bit " << bit << " of the nonce";
  }
  for (std::size_t bit = 0; bit < SecretKey::kSize * 8; ++bit) {
    Box other(counting(1, 32), counting(50, 12));
    other.key.writable()[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(other.open(bytes_of(associated_), sealed_), "refused") << "bit " << bit << " of the key";
  }
}

TEST_F(Sealed, EveryOtherLengthIsRefused) {
  for (std::size_t size = 0; size < sealed_.size(); ++size) {
    EXPECT_EQ(open(Bytes(sealed_).first(size)), "refused") << size << " bytes of " << sealed_.size();
    EXPECT_EQ(open(Bytes(sealed_).subspan(sealed_.size() - size)), "refused") << "the last " << size;
  }
  Buffer longer = sealed_;
  longer.insert(longer.end() - kSealOverhead, 0);
  EXPECT_EQ(open(longer), "refused");
}

TEST_F(Sealed, BytesDoNotMoveBetweenAssociatedDataAndCiphertext) {
  const Buffer one = box_.seal(bytes_of("ab"), bytes_of(""));
  EXPECT_EQ(box_.open(bytes_of("a"), one), "refused");
  EXPECT_EQ(box_.open(bytes_of("ab"), one), "");
}

TEST_F(Sealed, InPlace) {
  Buffer bytes(plain_.begin(), plain_.end());
  bytes.resize(plain_.size() + kSealOverhead);
  const std::span<std::uint8_t> plain = std::span(bytes).first(plain_.size());
  ASSERT_TRUE(seal(box_.key, box_.nonce, bytes_of(associated_), plain, bytes));
  EXPECT_EQ(bytes, sealed_);
  ASSERT_EQ(pairport::open(box_.key, box_.nonce, bytes_of(associated_), bytes, plain), Opened::kYes);
  EXPECT_EQ(std::string(plain.begin(), plain.end()), plain_);

  bytes = sealed_;
  bytes.back() ^= 1;
  const std::span<std::uint8_t> again = std::span(bytes).first(plain_.size());
  EXPECT_EQ(pairport::open(box_.key, box_.nonce, bytes_of(associated_), bytes, again), Opened::kNotAuthentic);
  EXPECT_EQ(Buffer(again.begin(), again.end()), Buffer(plain_.size()));
}

TEST_F(Sealed, AnOutputOfAnotherSizeIsFilledWithZeros) {
  for (const std::size_t size : {std::size_t{0}, kSealOverhead - 1, sealed_.size() - 1, sealed_.size() + 1}) {
    Buffer out(size, 0x5a);
    EXPECT_FALSE(seal(box_.key, box_.nonce, bytes_of(associated_), bytes_of(plain_), out));
    EXPECT_EQ(out, Buffer(size)) << size;
  }
  for (const std::size_t size : {std::size_t{0}, plain_.size() - 1, plain_.size() + 1, sealed_.size()}) {
    Buffer out(size, 0x5a);
    EXPECT_EQ(pairport::open(box_.key, box_.nonce, bytes_of(associated_), sealed_, out), Opened::kFailed);
    EXPECT_EQ(out, Buffer(size)) << size;
  }
  Buffer out(5, 0x5a);
  EXPECT_EQ(pairport::open(box_.key, box_.nonce, {}, Bytes(sealed_).first(15), out), Opened::kNotAuthentic);
  EXPECT_EQ(out, Buffer(5));
}

TEST_F(Sealed, EverySizeAroundTheBordersOfBlocks) {
  for (std::size_t size = 0; size <= 200; ++size) {
    const Buffer plain = counting(static_cast<std::uint8_t>(size), size);
    const std::string text(plain.begin(), plain.end());
    for (const std::size_t associated_size : std::initializer_list<std::size_t>{0, 1, 15, 16, 17}) {
      const Buffer associated = counting(9, associated_size);
      const Buffer sealed = box_.seal(associated, plain);
      EXPECT_EQ(box_.open(associated, sealed), text);
    }
  }
}

TEST(SecretKey, IsDrawnOrZeros) {
  FixedRandom random;
  SecretKey key;
  const std::string zeros(64, '0');
  EXPECT_EQ(to_hex(key.bytes()), zeros);
  ASSERT_TRUE(key.draw(random));
  EXPECT_NE(to_hex(key.bytes()), zeros);
  const std::string before = to_hex(key.bytes());
  ASSERT_TRUE(key.draw(random));
  EXPECT_NE(to_hex(key.bytes()), before);

  class Failing final : public RandomSource {
   public:
    bool fill(std::span<std::uint8_t> out) noexcept override {
      std::fill(out.begin(), out.end(), std::uint8_t{0x5a});
      return false;
    }
  } failing;
  EXPECT_FALSE(key.draw(failing));
  EXPECT_EQ(to_hex(key.bytes()), zeros) << "neither the old key nor what the source left";
}

}  // namespace
}  // namespace pairport::testing
