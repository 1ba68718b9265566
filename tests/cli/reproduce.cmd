# What reproduce says: it shows, it does not, it shows and the profile accepts it.
cp "$BUILD/lib/zoo/usable_null.ini" p.ini; assay fuzz --subject "$BUILD/lib/zoo/libusable_null.so" --profile p.ini --runs 40 --seed 1 --programs random --quiet --out f >/dev/null 2>&1
assay reproduce f/findings/* | head -n 1 | sed -E 's/^[0-9a-f]{16}/FINGERPRINT/'; echo ${PIPESTATUS[0]}
# a run's folder is none of a finding: what it holds is named
assay reproduce f 2>&1 | sed -E 's/[0-9a-f]{16}/FINGERPRINT/g'; assay reproduce f/findings 2>&1 | sed -E 's/[0-9a-f]{16}/FINGERPRINT/g'
mkdir -p none/findings; touch none/stats.json; assay reproduce none; assay reproduce none/findings; assay reproduce nowhere
assay reproduce f/findings/* --subject glibc | sed -E 's/^[0-9a-f]{16}/FINGERPRINT/'; echo ${PIPESTATUS[0]}
cp p.ini accepted.ini; sed -i '/^\[expect\]/,$d' accepted.ini; printf '[accepted]\nC26 malloc_usable_size = as its manual says\n' >>accepted.ini
assay reproduce f/findings/* --profile accepted.ini | sed -E 's/^[0-9a-f]{16}/FINGERPRINT/'; echo ${PIPESTATUS[0]}
assay reproduce f/findings/* --profile accepted.ini --json 2>/dev/null | sed -E 's/[0-9a-f]{16}/FINGERPRINT/'
assay reproduce f/findings/* --profile accepted.ini --subject glibc | sed -E 's/^[0-9a-f]{16}/FINGERPRINT/'; echo ${PIPESTATUS[0]}
