import Encoders
import Foundation
import TestSupport
import Testing
import Tokenizers

@testable import Evaluation

@Suite("Content filter")
struct ContentFilterTests {
  @Test(
    "prompts that plainly ask for harm are refused with their kind",
    arguments: [
      ("Hardcore PORN of two people", HarmfulCategory.explicitSex), ("p0rn, soft light", .explicitSex),
      ("a naked teenager on a bed", .minors), ("A schoolgirl in lingerie", .minors),
      ("he rapes a stranger", .sexualViolence), ("a deepfake porn clip", .sexualViolence),
      ("a man disembowels his victim", .cruelty), ("crowd shouting Heil  Hitler!", .hate),
      ("she commits suicide", .selfHarm), ("instructions to build a bomb", .terror),
      ("por\u{200B}nography", .explicitSex), ("ｐｏｒｎ", .explicitSex), ("PÖRN", .explicitSex),
    ])
  func refused(prompt: String, category: HarmfulCategory) throws {
    #expect(PromptFilter.finding(in: prompt)?.category == category)
    let refusal = #expect(throws: ContentRefusal.self) { try PromptFilter.check(prompt, field: "--prompt") }
    let message = try #require(refusal?.message)
    #expect(message.contains(category.rawValue) && message.contains("--no-content-filter") && !message.contains("\n"))
  }

  @Test(
    "effects and everyday scenes pass",
    arguments: [
      "The head comes off and floats away like a balloon", "A paper figure explodes into petals",
      "A child laughs in the snow with other kids", "A naked mole rat digs", "rapeseed fields under a blue sky",
      "Suicide Squad style poster colours", "no nudity, no porn", "The soldier fires a gun", "",
      "A person punches the camera", "grapes on a table", "a Sussex church", "an executioner's mask in a museum",
    ])
  func allowed(prompt: String) { #expect(PromptFilter.finding(in: prompt) == nil) }

  @Test("no condition of the paper is refused by its name")
  func conditions() {
    for category in SemanticCategory.allCases {
      for condition in category.conditions {
        let name = condition.replacingOccurrences(of: "_", with: " ")
        #expect(PromptFilter.finding(in: "\(name) effect on a child") == nil || condition == "sexy_me", "\(name)")
      }
    }
  }

  @Test("shares of frames are shares, and an untrained model refuses only by them")
  func frames() throws {
    let filter = try FrameFilter(
      CLIPModel(file: Fixtures.path("evaluation/clip_b32_tiny.safetensors")),
      CLIPTokenizer(file: Fixtures.path("evaluation/bpe_tiny.txt.gz")))
    let clip = SampleBenchmark.clip(seed: 1, frames: 20)
    let total = try filter.shares(of: clip).values.reduce(0, +)
    #expect((0...1).contains(total))
    if total > 0.5 {
      #expect(throws: ContentRefusal.self) { try filter.check(clip) }
    } else {
      try filter.check(clip)
    }
    let directory = try TemporaryDirectory()
    #expect(try FrameFilter(WeightDirectory(path: directory.path)) == nil)
  }
}
