//! The domain and the seams of CampusDisk: drives, uploads, downloads, shares and trash over pluggable storage.
