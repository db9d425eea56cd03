//! The example of RFC 8448 §3, step by step: `HKDF-Extract` and `HKDF-Expand` as TLS 1.3 uses them.
//! DTLS 1.3 differs by the prefix of its labels alone (RFC 9147 §5.9).
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use ortc_dtls::crypto::Hash;
use ortc_dtls::keying::{hkdf_expand, hkdf_expand_label, hkdf_extract};
use pair::providers;

/// Salt, input, secret.
#[rustfmt::skip]
const EXTRACT: &[[&str; 3]] = &[
    [
        "",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a",
    ],
    [
        "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba",
        "8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d",
        "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac",
    ],
    [
        "43de77e0c77713859a944db9db2590b53190a65b3ee2e4f12dd7a0bb7ce254b4",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919",
    ],
];

/// Pseudorandom key, info, output.
#[rustfmt::skip]
const EXPAND: &[[&str; 3]] = &[
    [
        "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a",
        "00200d746c733133206465726976656420e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba",
    ],
    [
        "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac",
        "002012746c7331332063206873207472616666696320860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8",
        "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
    ],
    [
        "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac",
        "002012746c7331332073206873207472616666696320860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8",
        "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
    ],
    [
        "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac",
        "00200d746c733133206465726976656420e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "43de77e0c77713859a944db9db2590b53190a65b3ee2e4f12dd7a0bb7ce254b4",
    ],
    [
        "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
        "001009746c733133206b657900",
        "3fce516009c21727d0f2e4e86ee403bc",
    ],
    [
        "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
        "000c08746c73313320697600",
        "5d313eb2671276ee13000b30",
    ],
    [
        "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
        "00200e746c7331332066696e697368656400",
        "008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8",
    ],
    [
        "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919",
        "002012746c73313320632061702074726166666963209608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13",
        "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
    ],
    [
        "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919",
        "002012746c73313320732061702074726166666963209608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13",
        "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
    ],
    [
        "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919",
        "002010746c73313320657870206d6173746572209608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13",
        "fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50",
    ],
    [
        "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
        "001009746c733133206b657900",
        "9f02283b6c9c07efc26bb9f2ac92e356",
    ],
    [
        "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
        "000c08746c73313320697600",
        "cf782b88dd83549aadf1e984",
    ],
    [
        "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
        "001009746c733133206b657900",
        "dbfaa693d1762c5b666af5d950258d01",
    ],
    [
        "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
        "000c08746c73313320697600",
        "5bd3c71b836e0b76bb73265f",
    ],
    [
        "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
        "00200e746c7331332066696e697368656400",
        "b80ad01015fb2f0bd65ff7d4da5d6bf83f84821d1f87fdc7d3c75b5a7b42d9c4",
    ],
    [
        "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
        "001009746c733133206b657900",
        "17422dda596ed5d9acd890e3c63f5051",
    ],
    [
        "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
        "000c08746c73313320697600",
        "5b78923dee08579033e523d9",
    ],
    [
        "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919",
        "002010746c73313320726573206d617374657220209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d",
        "7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c",
    ],
    [
        "7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c",
        "002010746c73313320726573756d7074696f6e020000",
        "4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3",
    ],
];

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn every_secret_of_the_example_is_extracted() {
    for provider in providers() {
        for &[salt, input, secret] in EXTRACT {
            let ours = hkdf_extract(&*provider, Hash::Sha256, &hex(salt), &hex(input));
            assert_eq!(hex::encode(ours), secret);
        }
    }
}

#[test]
fn every_key_of_the_example_is_expanded() {
    for provider in providers() {
        for &[prk, info, expected] in EXPAND {
            let mut out = vec![0; expected.len() / 2];
            let info = hex(info);
            hkdf_expand(&*provider, Hash::Sha256, &hex(prk), &[&info], &mut out).unwrap();
            assert_eq!(hex::encode(out), expected);
        }
    }
}

/// With the prefix exchanged for that of DTLS, the labels of the example are what we expand.
#[test]
fn a_label_is_the_info_of_the_example_with_another_prefix() {
    for provider in providers() {
        for &[prk, info, expected] in EXPAND {
            let (prk, mut info) = (hex(prk), hex(info));
            let at = 3;
            assert_eq!(info[at..at + 6], *b"tls13 ");
            info[at..at + 6].copy_from_slice(b"dtls13");
            let label_len = usize::from(info[2]);
            let label = String::from_utf8(info[at + 6..at + label_len].to_vec()).unwrap();
            let context = info[at + label_len + 1..].to_vec();
            let mut outputs = [(); 2].map(|()| vec![0; expected.len() / 2]);
            let [by_info, by_label] = &mut outputs;
            let hash = Hash::Sha256;
            hkdf_expand(&*provider, hash, &prk, &[&info], by_info).unwrap();
            hkdf_expand_label(&*provider, hash, &prk, &label, &context, by_label).unwrap();
            assert_eq!(outputs[0], outputs[1], "{label}");
            assert_ne!(hex::encode(&outputs[0]), expected);
        }
    }
}
